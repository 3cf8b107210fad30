-- The embedded national store, version 1. Numbers of provinces are those of registry_schema::ids::Origin
-- (edition ordinal * 100 + code); roles, kinds and lanes are the permanent codes of registry_schema.

-- Enrolled provinces. A token is kept as its SHA-256 only.
CREATE TABLE province (
    origin        INTEGER PRIMARY KEY,
    name          TEXT NOT NULL,
    token_hash    BLOB NOT NULL,
    epoch         INTEGER,               -- the incarnation of its store; NULL until its first session
    enrolled_ms   INTEGER NOT NULL,
    last_seen_ms  INTEGER,
    agent_version TEXT,
    notice_seq    INTEGER NOT NULL DEFAULT 0  -- the last notice written for it
) STRICT;

-- How far each lane of each province was journaled and applied.
CREATE TABLE cursor (
    origin      INTEGER NOT NULL,
    lane        INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,        -- last change journaled
    chain       BLOB NOT NULL,           -- hash chain after it
    received_ms INTEGER NOT NULL,
    applied_seq INTEGER NOT NULL DEFAULT 0,
    applied_ms  INTEGER,
    PRIMARY KEY (origin, lane)
) STRICT, WITHOUT ROWID;

-- Everything that ever arrived, whole, in the order of commits: the evidence, and the source of every rebuild.
CREATE TABLE journal (
    journal_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    source      INTEGER NOT NULL CHECK (source IN (1, 2)),  -- 1 a frame of a province, 2 a verdict of an operator
    origin      INTEGER,
    epoch       INTEGER,
    lane        INTEGER,
    first_seq   INTEGER,
    last_seq    INTEGER,
    chain       BLOB,
    queue       INTEGER NOT NULL CHECK (queue IN (1, 2)),   -- 1 judged first: live, repair, verdicts; 2 backlog
    received_ms INTEGER NOT NULL,
    bytes       BLOB NOT NULL            -- the frame as it came, or the verdict as JSON
) STRICT;
CREATE INDEX journal_by_queue ON journal (queue, journal_id);
CREATE UNIQUE INDEX journal_by_position ON journal (origin, epoch, lane, first_seq) WHERE source = 1;

-- How far each queue of the journal was judged. The queues may overtake each other: the order of arrivals decides nothing.
CREATE TABLE watermark (
    queue      INTEGER PRIMARY KEY CHECK (queue IN (1, 2)),
    journal_id INTEGER NOT NULL
) STRICT;
INSERT INTO watermark VALUES (1, 0), (2, 0);

-- The present state of every record.
CREATE TABLE record (
    origin       INTEGER NOT NULL,
    record_id    INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    standing     INTEGER NOT NULL,       -- 1 active, 2 cancelled, 3 rejected
    version      INTEGER NOT NULL,
    clock        INTEGER NOT NULL,
    content_hash BLOB NOT NULL,
    canonical    BLOB NOT NULL,
    PRIMARY KEY (origin, record_id)
) STRICT, WITHOUT ROWID;

-- Every other state of every record: superseded, late, or not valid.
CREATE TABLE past (
    origin       INTEGER NOT NULL,
    record_id    INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    clock        INTEGER NOT NULL,
    content_hash BLOB NOT NULL,
    valid        INTEGER NOT NULL,
    canonical    BLOB NOT NULL,
    PRIMARY KEY (origin, record_id, version, clock, content_hash)
) STRICT, WITHOUT ROWID;

-- Which parts of records in force stand in which block.
CREATE TABLE block (
    block     INTEGER NOT NULL,
    origin    INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    role      INTEGER NOT NULL,
    PRIMARY KEY (block, origin, record_id, role)
) STRICT, WITHOUT ROWID;

-- Blocks in which too many stand, so that nobody is compared there: fillers, and days on which a whole village died.
CREATE TABLE void_block (
    block INTEGER PRIMARY KEY
) STRICT;

-- Participants that are like others: their cluster and their national person. Who is not here stands alone.
CREATE TABLE member (
    origin    INTEGER NOT NULL,
    record_id INTEGER NOT NULL,
    role      INTEGER NOT NULL,
    cluster   INTEGER NOT NULL,
    person    INTEGER NOT NULL,
    PRIMARY KEY (origin, record_id, role)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_by_cluster ON member (cluster);
CREATE INDEX member_by_person ON member (person);

-- Links and cases.
CREATE TABLE finding (
    finding_id BLOB PRIMARY KEY NOT NULL,
    rule       TEXT NOT NULL,
    certainty  INTEGER NOT NULL,         -- 1 link, 2 case
    scope      INTEGER NOT NULL,
    records    TEXT NOT NULL,            -- JSON array of PROVINCE/ID, sorted
    evidence   TEXT NOT NULL,            -- JSON
    answer     TEXT,
    chosen     TEXT,
    changed_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_by_scope ON finding (scope);
CREATE INDEX finding_by_rule ON finding (certainty, rule, finding_id);
CREATE TABLE finding_record (
    origin     INTEGER NOT NULL,
    record_id  INTEGER NOT NULL,
    finding_id BLOB NOT NULL,
    PRIMARY KEY (origin, record_id, finding_id)
) STRICT, WITHOUT ROWID;

-- What operators answered; every answer is kept.
CREATE TABLE verdict (
    verdict_id BLOB PRIMARY KEY NOT NULL,
    case_id    BLOB NOT NULL,
    body       TEXT NOT NULL             -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX verdict_by_case ON verdict (case_id);
CREATE TABLE verdict_record (
    origin     INTEGER NOT NULL,
    record_id  INTEGER NOT NULL,
    verdict_id BLOB NOT NULL,
    PRIMARY KEY (origin, record_id, verdict_id)
) STRICT, WITHOUT ROWID;

-- Words for the provinces, in the order in which they were said.
CREATE TABLE notice (
    origin     INTEGER NOT NULL,
    notice_seq INTEGER NOT NULL,
    record_id  INTEGER NOT NULL,
    subject    TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    rule       TEXT,
    others     TEXT NOT NULL,            -- JSON array of PROVINCE/ID
    english    TEXT NOT NULL,
    vietnamese TEXT NOT NULL,
    detail     TEXT NOT NULL,            -- JSON
    said_ms    INTEGER NOT NULL,
    PRIMARY KEY (origin, notice_seq)
) STRICT, WITHOUT ROWID;

-- Sums over everything above, by section, and numbers of records.
CREATE TABLE digest (
    section TEXT PRIMARY KEY NOT NULL,
    sum     BLOB NOT NULL,
    count   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (
    origin   INTEGER NOT NULL,
    kind     INTEGER NOT NULL,
    standing INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (origin, kind, standing)
) STRICT, WITHOUT ROWID;
