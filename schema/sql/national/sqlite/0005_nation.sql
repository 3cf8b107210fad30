-- The incarnations of this store: the first when a province first came, another with every return from a backup. A province
-- that heard words of a past that the backup did not have takes them back.
CREATE TABLE nation (
    number   INTEGER PRIMARY KEY,        -- 1, 2, 3; the last is the present one
    id       INTEGER NOT NULL,           -- drawn at random
    began_ms INTEGER NOT NULL
) STRICT;
-- How many words each province had been told when an incarnation ended.
CREATE TABLE nation_end (
    number     INTEGER NOT NULL,
    origin     INTEGER NOT NULL,
    notice_seq INTEGER NOT NULL,
    PRIMARY KEY (number, origin)
) STRICT, WITHOUT ROWID;
