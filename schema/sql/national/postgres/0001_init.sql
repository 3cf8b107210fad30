-- The national store on PostgreSQL 15 and later, version 1. Numbers of provinces are those of
-- registry_schema::ids::Origin (edition ordinal * 100 + code); roles, kinds and lanes are the permanent codes of
-- registry_schema. The first column of every key is the one by which the table can be spread over machines, so there
-- are no foreign keys, no triggers and no constraint that would have to look beyond one machine. Columns stand from
-- wide to narrow: a row has no padding.

-- Enrolled provinces. A token is kept as its SHA-256 only.
CREATE TABLE province (
    origin        smallint NOT NULL PRIMARY KEY,
    epoch         bigint,                -- the incarnation of its store; NULL until its first session
    enrolled_ms   bigint NOT NULL,
    last_seen_ms  bigint,
    notice_seq    bigint NOT NULL DEFAULT 0,  -- the last notice written for it
    name          text NOT NULL,
    token_hash    bytea NOT NULL,
    agent_version text
);

-- How far each lane of each province was journaled and applied.
CREATE TABLE cursor (
    epoch       bigint NOT NULL,
    seq         bigint NOT NULL,         -- last change journaled
    received_ms bigint NOT NULL,
    applied_seq bigint NOT NULL DEFAULT 0,
    applied_ms  bigint,
    origin      smallint NOT NULL,
    lane        smallint NOT NULL,
    chain       bytea NOT NULL,          -- hash chain after it
    PRIMARY KEY (origin, lane)
);

-- Everything that ever arrived, whole, in the order of commits: the evidence, and the source of every rebuild.
-- Verdicts have origin 0. Frames are compressed when they come, so nobody tries again.
CREATE TABLE journal (
    journal_id  bigint NOT NULL,
    epoch       bigint,
    first_seq   bigint,
    last_seq    bigint,
    received_ms bigint NOT NULL,
    origin      smallint NOT NULL,
    source      smallint NOT NULL CHECK (source IN (1, 2)),  -- 1 a frame of a province, 2 a verdict of an operator
    lane        smallint,
    queue       smallint NOT NULL CHECK (queue IN (1, 2)),   -- 1 judged first: live, repair, verdicts; 2 backlog
    chain       bytea,
    bytes       bytea NOT NULL,          -- the frame as it came, or the verdict as JSON
    PRIMARY KEY (origin, journal_id)
);
ALTER TABLE journal ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE INDEX journal_by_queue ON journal (queue, journal_id);
CREATE UNIQUE INDEX journal_by_position ON journal (origin, epoch, lane, first_seq) WHERE source = 1;

-- The last number given in the journal. Whoever appends holds this row until the commit, so numbers are in the order
-- of commits, without gaps, however many hubs append: a sequence would promise neither.
CREATE TABLE journal_head (
    one        smallint PRIMARY KEY CHECK (one = 1),
    journal_id bigint NOT NULL
);
INSERT INTO journal_head VALUES (1, 0);

-- Who judges. A hub that takes over raises the term; a commit of an earlier term changes nothing and is refused.
CREATE TABLE judge (
    one        smallint PRIMARY KEY CHECK (one = 1),
    term      bigint NOT NULL,
    commit_id bigint NOT NULL            -- of the last commit, so that a commit whose answer was lost is not repeated
);
INSERT INTO judge VALUES (1, 0, 0);

-- How far each queue of the journal was judged. The queues may overtake each other: the order of arrivals decides nothing.
CREATE TABLE watermark (
    queue      smallint PRIMARY KEY CHECK (queue IN (1, 2)),
    journal_id bigint NOT NULL
);
INSERT INTO watermark VALUES (1, 0), (2, 0);

-- The present state of every record.
CREATE TABLE record (
    record_id    bigint NOT NULL,
    clock        bigint NOT NULL,
    version      bigint NOT NULL,
    origin       smallint NOT NULL,
    kind         smallint NOT NULL,
    standing     smallint NOT NULL,      -- 1 active, 2 cancelled, 3 rejected
    content_hash bytea NOT NULL,
    canonical    bytea NOT NULL,
    PRIMARY KEY (origin, record_id)
);

-- Every other state of every record: superseded, late, or not valid.
CREATE TABLE past (
    record_id    bigint NOT NULL,
    clock        bigint NOT NULL,
    version      bigint NOT NULL,
    origin       smallint NOT NULL,
    valid        boolean NOT NULL,
    content_hash bytea NOT NULL,
    canonical    bytea NOT NULL,
    PRIMARY KEY (origin, record_id, version, clock, content_hash)
);

-- Which parts of records in force stand in which block.
CREATE TABLE block (
    block     bigint NOT NULL,
    record_id bigint NOT NULL,
    origin    smallint NOT NULL,
    role      smallint NOT NULL,
    PRIMARY KEY (block, origin, record_id, role)
);

-- Blocks in which too many stand to say anything.
CREATE TABLE void_block (
    block bigint PRIMARY KEY
);

-- Participants that are like others: their cluster and their national person. Who is not here stands alone.
CREATE TABLE member (
    record_id bigint NOT NULL,
    cluster   bigint NOT NULL,
    person    bigint NOT NULL,
    origin    smallint NOT NULL,
    role      smallint NOT NULL,
    PRIMARY KEY (origin, record_id, role)
);
CREATE INDEX member_by_cluster ON member (cluster);
CREATE INDEX member_by_person ON member (person);

-- Links and cases.
CREATE TABLE finding (
    scope      bigint NOT NULL,
    changed_ms bigint NOT NULL,
    certainty  smallint NOT NULL,        -- 1 link, 2 case
    finding_id bytea NOT NULL PRIMARY KEY,
    rule       text COLLATE "C" NOT NULL,
    records    text NOT NULL,            -- JSON array of PROVINCE/ID, sorted
    evidence   text NOT NULL,            -- JSON
    answer     text COLLATE "C",
    chosen     text COLLATE "C"
);
CREATE INDEX finding_by_scope ON finding (scope);
CREATE INDEX finding_by_rule ON finding (certainty, rule, finding_id);
CREATE TABLE finding_record (
    record_id  bigint NOT NULL,
    origin     smallint NOT NULL,
    finding_id bytea NOT NULL,
    PRIMARY KEY (origin, record_id, finding_id)
);

-- What operators answered; every answer is kept.
CREATE TABLE verdict (
    verdict_id bytea NOT NULL PRIMARY KEY,
    case_id    bytea NOT NULL,
    body       text NOT NULL             -- JSON
);
CREATE INDEX verdict_by_case ON verdict (case_id);
CREATE TABLE verdict_record (
    record_id  bigint NOT NULL,
    origin     smallint NOT NULL,
    verdict_id bytea NOT NULL,
    PRIMARY KEY (origin, record_id, verdict_id)
);

-- Words for the provinces, in the order in which they were said.
CREATE TABLE notice (
    notice_seq bigint NOT NULL,
    record_id  bigint NOT NULL,
    said_ms    bigint NOT NULL,
    origin     smallint NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    outcome    text COLLATE "C" NOT NULL,
    rule       text COLLATE "C",
    others     text NOT NULL,            -- JSON array of PROVINCE/ID
    english    text NOT NULL,
    vietnamese text NOT NULL,
    detail     text NOT NULL,            -- JSON
    PRIMARY KEY (origin, notice_seq)
);

-- Sums over everything above, by section, and numbers of records.
CREATE TABLE digest (
    section text COLLATE "C" PRIMARY KEY,
    sum     bytea NOT NULL,
    count   bigint NOT NULL
);
CREATE TABLE tally (
    count    bigint NOT NULL,
    origin   smallint NOT NULL,
    kind     smallint NOT NULL,
    standing smallint NOT NULL,
    PRIMARY KEY (origin, kind, standing)
);

-- What the registry was judged under: the national state is a function of the journal and of this.
CREATE TABLE ruling (
    one        smallint PRIMARY KEY CHECK (one = 1),
    words text NOT NULL                  -- as `policy:0123abcd`
);
