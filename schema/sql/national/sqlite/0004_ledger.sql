-- What operators did and saw, chained: each row holds the hash of the one before, so none can be changed or taken out.
CREATE TABLE act (
    act_seq  INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    who      TEXT NOT NULL,
    verb     TEXT NOT NULL,
    object   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    previous BLOB NOT NULL,
    hash     BLOB NOT NULL
) STRICT;

-- The keys that may sign a province's frames. A key that is replaced stays: frames that it signed are evidence.
CREATE TABLE signer (
    origin      INTEGER NOT NULL,
    public_key  BLOB NOT NULL,
    certificate BLOB NOT NULL,           -- SHA-256 of the certificate it was enrolled with; zeros when by hand
    enrolled_ms INTEGER NOT NULL,
    retired_ms  INTEGER,
    PRIMARY KEY (origin, public_key)
) STRICT, WITHOUT ROWID;

-- What operators may do. While nobody has a role, everybody on the hub's machine has every one.
CREATE TABLE grants (
    name       TEXT PRIMARY KEY NOT NULL,
    role       TEXT NOT NULL,            -- viewer, registrar, administrator, or none
    granted_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
