-- What each province holds, as far as the nation heard: of every record the greatest state by (version, clock, content),
-- valid or not, summed under a secret key of the province. Compared with the province's own sums, it shows every
-- difference at the cost of the difference.
CREATE TABLE holding (
    origin          INTEGER PRIMARY KEY,
    key             BLOB NOT NULL,       -- 32 secret bytes, known to the province's agent
    digest_version  INTEGER NOT NULL,
    sum             BLOB NOT NULL,       -- of all tags
    count           INTEGER NOT NULL,
    tail_no         INTEGER NOT NULL,    -- of the last delta
    tail_items      INTEGER NOT NULL,    -- of all deltas that are not yet folded
    roots_agree     INTEGER,             -- what the last comparison of roots found: 1 equal, 0 not; NULL before the first
    compared_ms     INTEGER
) STRICT;
-- The sums by kind and year and the coded cells, some deltas ago.
CREATE TABLE holding_checkpoint (
    origin  INTEGER PRIMARY KEY,
    buckets BLOB NOT NULL,
    sketch  BLOB NOT NULL
) STRICT;
-- The deltas since.
CREATE TABLE holding_tail (
    origin  INTEGER NOT NULL,
    tail_no INTEGER NOT NULL,
    delta   BLOB NOT NULL,
    PRIMARY KEY (origin, tail_no)
) STRICT, WITHOUT ROWID;

-- Comparisons that were asked for, and what became of them.
CREATE TABLE resync (
    resync_id  INTEGER PRIMARY KEY,
    origin     INTEGER NOT NULL,
    open       INTEGER NOT NULL,         -- 1 while something is left to do
    state      TEXT NOT NULL,
    body       TEXT NOT NULL             -- JSON
) STRICT;
CREATE INDEX resync_by_origin ON resync (origin, open, resync_id);
