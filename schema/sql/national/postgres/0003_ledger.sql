-- What operators did and saw, chained: each row holds the hash of the one before, so none can be changed or taken out.
CREATE TABLE act (
    act_seq  bigint NOT NULL PRIMARY KEY,
    at_ms    bigint NOT NULL,
    who      text COLLATE "C" NOT NULL,
    verb     text COLLATE "C" NOT NULL,
    object   text NOT NULL,
    reason   text NOT NULL,
    previous bytea NOT NULL,
    hash     bytea NOT NULL
);

-- The keys that may sign a province's frames. A key that is replaced stays: frames that it signed are evidence.
CREATE TABLE signer (
    enrolled_ms bigint NOT NULL,
    retired_ms  bigint,
    origin      smallint NOT NULL,
    public_key  bytea NOT NULL,
    certificate bytea NOT NULL,          -- SHA-256 of the certificate it was enrolled with; zeros when by hand
    PRIMARY KEY (origin, public_key)
);

-- What operators may do. While nobody has a role, everybody on the hub's machine has every one.
CREATE TABLE grants (
    granted_ms bigint NOT NULL,
    name       text COLLATE "C" NOT NULL PRIMARY KEY,
    role       text COLLATE "C" NOT NULL -- viewer, registrar, administrator, or none
);
