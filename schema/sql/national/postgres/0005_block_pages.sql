-- Blocks as they were when the registry was judged at once: some sixteen stands a row instead of one. What has come since
-- stands in `block`, and so does whoever stands in a block in which too many do.
CREATE TABLE block_page (
    page   bigint NOT NULL PRIMARY KEY,  -- the high bits of the blocks in it
    stands bytea NOT NULL                -- 19 bytes each: block, origin, record_id (big end first), role; in order
);
-- How many low bits of a block its page leaves out. There is no page yet.
CREATE TABLE block_paging (
    one   smallint PRIMARY KEY CHECK (one = 1),
    shift smallint NOT NULL
);
INSERT INTO block_paging VALUES (1, 63);
