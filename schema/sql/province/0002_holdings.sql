-- Keeps what the store holds comparable with what the nation heard, and what it may not decide by itself.

-- 1: counts at every place of the lanes: sealed in an earlier epoch, or brought back from the centre.
ALTER TABLE change_log ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
DROP INDEX change_log_by_seq;
CREATE UNIQUE INDEX change_log_by_seq ON change_log (lane, seq) WHERE seq IS NOT NULL AND settled = 0;

-- The sums of every entry's last sealed state at some place of the lanes, some changes ago. Secret like a key.
CREATE TABLE holding (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    key            BLOB NOT NULL,           -- the key of the sums, from the centre
    digest_version INTEGER NOT NULL,
    live_seq       INTEGER NOT NULL,
    repair_seq     INTEGER NOT NULL,
    backlog_seq    INTEGER NOT NULL,
    buckets        BLOB NOT NULL,
    sketch         BLOB NOT NULL
) STRICT;

-- States that a person must look at: the centre's of entries that this store never had, and the store's own that a
-- comparison has put another one in the place of. Nothing is ever deleted from here.
CREATE TABLE quarantine (
    quarantine_id INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id     INT NOT NULL,
    reason        TEXT NOT NULL CHECK (reason IN ('unknown', 'displaced', 'damaged')),
    version       INTEGER NOT NULL,
    clock         INTEGER NOT NULL,
    canonical     BLOB NOT NULL,
    put_ms        INTEGER NOT NULL,
    released_ms   INTEGER,                  -- when somebody took it into the registers
    UNIQUE (record_id, reason, version, clock, canonical)
) STRICT;

-- How each entry stands, for clerks' screens.
DROP VIEW entry_states;
CREATE VIEW entry_states AS
SELECT newest.record_id, newest.kind,
    CASE
        WHEN newest.seq IS NULL THEN 'waiting'
        WHEN newest.settled = 0 AND newest.seq > lanes.received_seq THEN 'sealed'
        WHEN newest.settled = 0 AND newest.seq > lanes.applied_seq THEN 'received'
        ELSE coalesce((SELECT outcome FROM notices WHERE notices.record_id = newest.record_id
                        AND outcome NOT IN ('accepted', 'closed', 'resolved')
                        ORDER BY CASE outcome WHEN 'rejected' THEN 0 WHEN 'case' THEN 1 ELSE 2 END LIMIT 1), 'accepted')
    END AS state
FROM change_log AS newest LEFT JOIN lanes ON lanes.lane = newest.lane
WHERE newest.change_id = (SELECT max(change_id) FROM change_log AS every WHERE every.record_id = newest.record_id);
