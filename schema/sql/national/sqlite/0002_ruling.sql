-- What the registry was judged under: the national state is a function of the journal and of this. No row until the
-- first batch; a registry of an earlier release that was judged has none either, and is made anew.
CREATE TABLE ruling (
    only  INTEGER PRIMARY KEY CHECK (only = 1),
    words TEXT NOT NULL                  -- as `policy:0123abcd`
) STRICT;
