-- The incarnations of this store: the first when a province first came, another with every return from a backup. A province
-- that heard words of a past that the backup did not have takes them back.
CREATE TABLE nation (
    id       bigint NOT NULL,            -- drawn at random
    began_ms bigint NOT NULL,
    number   integer NOT NULL PRIMARY KEY -- 1, 2, 3; the last is the present one
);
-- How many words each province had been told when an incarnation ended.
CREATE TABLE nation_end (
    notice_seq bigint NOT NULL,
    number     integer NOT NULL,
    origin     smallint NOT NULL,
    PRIMARY KEY (number, origin)
);
