-- What each province holds, as far as the nation heard: of every record the greatest state by (version, clock, content),
-- valid or not, summed under a secret key of the province. Compared with the province's own sums, it shows every
-- difference at the cost of the difference.
CREATE TABLE holding (
    count           bigint NOT NULL,
    tail_no         bigint NOT NULL,     -- of the last delta
    tail_items      bigint NOT NULL,     -- of all deltas that are not yet folded
    compared_ms     bigint,
    origin          smallint NOT NULL PRIMARY KEY,
    digest_version  smallint NOT NULL,
    roots_agree     boolean,             -- what the last comparison of roots found; NULL before the first
    key             bytea NOT NULL,      -- 32 secret bytes, known to the province's agent
    sum             bytea NOT NULL       -- of all tags
) WITH (fillfactor = 50);
-- The sums by kind and year and the coded cells, some deltas ago. Hashes do not compress.
CREATE TABLE holding_checkpoint (
    origin  smallint NOT NULL PRIMARY KEY,
    buckets bytea NOT NULL,
    sketch  bytea NOT NULL
);
ALTER TABLE holding_checkpoint ALTER COLUMN buckets SET STORAGE EXTERNAL;
ALTER TABLE holding_checkpoint ALTER COLUMN sketch SET STORAGE EXTERNAL;
-- The deltas since.
CREATE TABLE holding_tail (
    tail_no bigint NOT NULL,
    origin  smallint NOT NULL,
    delta   bytea NOT NULL,
    PRIMARY KEY (origin, tail_no)
);
ALTER TABLE holding_tail ALTER COLUMN delta SET STORAGE EXTERNAL;

-- Comparisons that were asked for, and what became of them.
CREATE TABLE resync (
    resync_id bigint NOT NULL,
    origin    smallint NOT NULL,
    open      boolean NOT NULL,          -- while something is left to do
    state     text NOT NULL,
    body      text NOT NULL,             -- JSON
    PRIMARY KEY (origin, resync_id)
);
