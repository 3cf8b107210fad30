-- The reference schema of a provincial store, version 1.
--
-- Any program in any language may write births, marriages and deaths here with plain SQL. The rules are few:
--   * INSERT an entry; leave record_id out, or give one that was never used (see below).
--   * UPDATE it to correct or supplement it: every state that was committed is sent to the centre.
--   * Withdraw it with  UPDATE births SET status = 'cancelled' WHERE record_id = ...;  DELETE is refused.
-- Triggers note each of these in change_log inside the writer's own transaction. The agent seals and sends the changes
-- afterwards, and writes what the centre answers into notices. All text is UTF-8. Blank and NULL mean the same.
-- A writer must open the file with  PRAGMA synchronous = FULL  (or EXTRA); the agent sets journal_mode = WAL.

-- Facts about this store and the agent's own state; one row each.
CREATE TABLE store_state (
    key   TEXT PRIMARY KEY NOT NULL,
    value ANY
) STRICT, WITHOUT ROWID;

-- Files imported from backlogs, and how far each import has come.
CREATE TABLE imports (
    import_id     INTEGER PRIMARY KEY,
    file_sha256   BLOB NOT NULL UNIQUE,     -- of the whole file: the same file is one import for ever
    file_name     TEXT NOT NULL,            -- as it was called, for people
    kind          TEXT NOT NULL CHECK (kind IN ('birth', 'marriage', 'death')),
    rows_done     INTEGER NOT NULL DEFAULT 0,  -- rows read and settled; a resumed import goes on behind them
    rows_imported INTEGER NOT NULL DEFAULT 0,  -- became new entries
    rows_absorbed INTEGER NOT NULL DEFAULT 0,  -- stood in the store already
    rows_rejected INTEGER NOT NULL DEFAULT 0,  -- went into the reject file
    started_at    TEXT NOT NULL,            -- RFC 3339, UTC
    finished_at   TEXT                      -- NULL while rows remain
) STRICT;

-- What was imported, by content: an entry that comes again in another file is absorbed.
CREATE TABLE import_ledger (
    fingerprint BLOB PRIMARY KEY NOT NULL,  -- SHA-256 of canonical bytes and of the how-manieth such row of its file
    record_id   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Births, one row an entry.
CREATE TABLE births (
    -- 25 bits of 64-second ticks since 2020, 37 random bits; bit 62 marks rows that came from an imported file.
    record_id INT PRIMARY KEY NOT NULL
        DEFAULT (((CAST(strftime('%s', 'now') AS INTEGER) - 1577836800) / 64 << 37) | (random() & 137438953471))
        CHECK (record_id > 0),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'cancelled')),
    import_id INT REFERENCES imports (import_id),  -- NULL for entries of clerks; else the backlog file
    number TEXT,                   -- entry number / số
    book TEXT,                     -- book / quyển số
    page TEXT,                     -- page / trang số
    registration_date TEXT,        -- registration date / ngày đăng ký: dd.mm.yyyy, mm.yyyy or yyyy
    registration_type TEXT,        -- registration type / loại đăng ký: 0 unknown, 1 in time, 2 re-registration, 3 from abroad, 4 late
    authority TEXT,                -- registering authority / nơi đăng ký: PP.CCCCC with the codes of the registration date, or the name of the office
    signer TEXT,                   -- signer / người ký
    signer_title TEXT,             -- title of the signer / chức vụ người ký
    clerk TEXT,                    -- clerk / người thực hiện
    note TEXT,                     -- note / ghi chú
    declarant_name TEXT,           -- full name of the declarant
    declarant_relation TEXT,       -- relation to the person registered of the declarant
    declarant_paper_kind TEXT,     -- kind of identity paper of the declarant
    declarant_paper_number TEXT,   -- number of the identity paper of the declarant
    foreign_number TEXT,           -- foreign entry number / số đăng ký nước ngoài
    foreign_date TEXT,             -- foreign registration date / ngày đăng ký nước ngoài
    foreign_authority TEXT,        -- foreign authority / cơ quan nước ngoài đã đăng ký
    foreign_country TEXT,          -- foreign country / quốc gia đã đăng ký
    replaces TEXT,                 -- entry that this one replaces / đăng ký lại cho
    source_reference TEXT,         -- reference in the source / mã hồ sơ nguồn
    child_name TEXT,               -- full name of the child
    child_sex TEXT,                -- sex of the child: 1 male, 2 female, 3 undetermined, 0 unknown
    child_birth_date TEXT,         -- date of birth of the child: dd.mm.yyyy, mm.yyyy or yyyy
    birth_date_in_words TEXT,      -- date of birth in words / ngày sinh bằng chữ
    event_place TEXT,              -- place of the event / nơi xảy ra sự kiện
    event_place_code TEXT,         -- code of the place of the event / mã ĐVHC nơi xảy ra sự kiện: code of the catalogue
    child_origin TEXT,             -- place of origin of the child
    child_ethnicity TEXT,          -- ethnicity of the child
    child_nationality TEXT,        -- nationality of the child
    child_other_nationality TEXT,  -- other nationality of the child
    child_personal_number TEXT,    -- personal identification number of the child: 12 digits
    birth_kind TEXT,               -- which parents are known / loại khai sinh
    mother_name TEXT,              -- full name of the mother
    mother_birth_date TEXT,        -- date of birth of the mother: dd.mm.yyyy, mm.yyyy or yyyy
    mother_ethnicity TEXT,         -- ethnicity of the mother
    mother_nationality TEXT,       -- nationality of the mother
    mother_other_nationality TEXT, -- other nationality of the mother
    mother_residence_kind TEXT,    -- kind of residence of the mother
    mother_residence TEXT,         -- residence of the mother
    mother_paper_kind TEXT,        -- kind of identity paper of the mother
    mother_paper_number TEXT,      -- number of the identity paper of the mother
    mother_personal_number TEXT,   -- personal identification number of the mother: 12 digits
    father_name TEXT,              -- full name of the father
    father_birth_date TEXT,        -- date of birth of the father: dd.mm.yyyy, mm.yyyy or yyyy
    father_ethnicity TEXT,         -- ethnicity of the father
    father_nationality TEXT,       -- nationality of the father
    father_other_nationality TEXT, -- other nationality of the father
    father_residence_kind TEXT,    -- kind of residence of the father
    father_residence TEXT,         -- residence of the father
    father_paper_kind TEXT,        -- kind of identity paper of the father
    father_paper_number TEXT,      -- number of the identity paper of the father
    father_personal_number TEXT    -- personal identification number of the father: 12 digits
) STRICT;

-- Marriages, one row an entry.
CREATE TABLE marriages (
    -- 25 bits of 64-second ticks since 2020, 37 random bits; bit 62 marks rows that came from an imported file.
    record_id INT PRIMARY KEY NOT NULL
        DEFAULT (((CAST(strftime('%s', 'now') AS INTEGER) - 1577836800) / 64 << 37) | (random() & 137438953471))
        CHECK (record_id > 0),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'cancelled')),
    import_id INT REFERENCES imports (import_id),  -- NULL for entries of clerks; else the backlog file
    number TEXT,                  -- entry number / số
    book TEXT,                    -- book / quyển số
    page TEXT,                    -- page / trang số
    registration_date TEXT,       -- registration date / ngày đăng ký: dd.mm.yyyy, mm.yyyy or yyyy
    registration_type TEXT,       -- registration type / loại đăng ký: 0 unknown, 1 in time, 2 re-registration, 3 from abroad, 4 late
    authority TEXT,               -- registering authority / nơi đăng ký: PP.CCCCC with the codes of the registration date, or the name of the office
    signer TEXT,                  -- signer / người ký
    signer_title TEXT,            -- title of the signer / chức vụ người ký
    clerk TEXT,                   -- clerk / người thực hiện
    note TEXT,                    -- note / ghi chú
    declarant_name TEXT,          -- full name of the declarant
    declarant_relation TEXT,      -- relation to the person registered of the declarant
    declarant_paper_kind TEXT,    -- kind of identity paper of the declarant
    declarant_paper_number TEXT,  -- number of the identity paper of the declarant
    foreign_number TEXT,          -- foreign entry number / số đăng ký nước ngoài
    foreign_date TEXT,            -- foreign registration date / ngày đăng ký nước ngoài
    foreign_authority TEXT,       -- foreign authority / cơ quan nước ngoài đã đăng ký
    foreign_country TEXT,         -- foreign country / quốc gia đã đăng ký
    replaces TEXT,                -- entry that this one replaces / đăng ký lại cho
    source_reference TEXT,        -- reference in the source / mã hồ sơ nguồn
    husband_name TEXT,            -- full name of the husband
    husband_birth_date TEXT,      -- date of birth of the husband: dd.mm.yyyy, mm.yyyy or yyyy
    husband_ethnicity TEXT,       -- ethnicity of the husband
    husband_nationality TEXT,     -- nationality of the husband
    husband_residence_kind TEXT,  -- kind of residence of the husband
    husband_residence TEXT,       -- residence of the husband
    husband_paper_kind TEXT,      -- kind of identity paper of the husband
    husband_paper_number TEXT,    -- number of the identity paper of the husband
    husband_paper_date TEXT,      -- date of the identity paper of the husband
    husband_paper_issuer TEXT,    -- issuer of the identity paper of the husband
    husband_personal_number TEXT, -- personal identification number of the husband: 12 digits
    husband_origin TEXT,          -- place of origin of the husband
    wife_name TEXT,               -- full name of the wife
    wife_birth_date TEXT,         -- date of birth of the wife: dd.mm.yyyy, mm.yyyy or yyyy
    wife_ethnicity TEXT,          -- ethnicity of the wife
    wife_nationality TEXT,        -- nationality of the wife
    wife_residence_kind TEXT,     -- kind of residence of the wife
    wife_residence TEXT,          -- residence of the wife
    wife_paper_kind TEXT,         -- kind of identity paper of the wife
    wife_paper_number TEXT,       -- number of the identity paper of the wife
    wife_paper_date TEXT,         -- date of the identity paper of the wife
    wife_paper_issuer TEXT,       -- issuer of the identity paper of the wife
    wife_personal_number TEXT,    -- personal identification number of the wife: 12 digits
    wife_origin TEXT,             -- place of origin of the wife
    event_date TEXT,              -- date of the event / ngày xảy ra sự kiện: dd.mm.yyyy, mm.yyyy or yyyy
    marriage_status TEXT,         -- state of the marriage / tình trạng kết hôn
    annulled_on TEXT,             -- date the marriage was annulled / ngày ghi chú hủy kết hôn
    annulment_basis TEXT,         -- ground of the annulment / căn cứ hủy kết hôn
    recognised_on TEXT,           -- date the marriage was recognised / ngày ghi chú công nhận kết hôn
    recognition_basis TEXT,       -- ground of the recognition / căn cứ công nhận kết hôn
    divorced_on TEXT,             -- date of the divorce / ngày ly hôn
    divorce_basis TEXT            -- ground of the divorce / căn cứ ly hôn
) STRICT;

-- Deaths, one row an entry.
CREATE TABLE deaths (
    -- 25 bits of 64-second ticks since 2020, 37 random bits; bit 62 marks rows that came from an imported file.
    record_id INT PRIMARY KEY NOT NULL
        DEFAULT (((CAST(strftime('%s', 'now') AS INTEGER) - 1577836800) / 64 << 37) | (random() & 137438953471))
        CHECK (record_id > 0),
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'cancelled')),
    import_id INT REFERENCES imports (import_id),  -- NULL for entries of clerks; else the backlog file
    number TEXT,                   -- entry number / số
    book TEXT,                     -- book / quyển số
    page TEXT,                     -- page / trang số
    registration_date TEXT,        -- registration date / ngày đăng ký: dd.mm.yyyy, mm.yyyy or yyyy
    registration_type TEXT,        -- registration type / loại đăng ký: 0 unknown, 1 in time, 2 re-registration, 3 from abroad, 4 late
    authority TEXT,                -- registering authority / nơi đăng ký: PP.CCCCC with the codes of the registration date, or the name of the office
    signer TEXT,                   -- signer / người ký
    signer_title TEXT,             -- title of the signer / chức vụ người ký
    clerk TEXT,                    -- clerk / người thực hiện
    note TEXT,                     -- note / ghi chú
    declarant_name TEXT,           -- full name of the declarant
    declarant_relation TEXT,       -- relation to the person registered of the declarant
    declarant_paper_kind TEXT,     -- kind of identity paper of the declarant
    declarant_paper_number TEXT,   -- number of the identity paper of the declarant
    foreign_number TEXT,           -- foreign entry number / số đăng ký nước ngoài
    foreign_date TEXT,             -- foreign registration date / ngày đăng ký nước ngoài
    foreign_authority TEXT,        -- foreign authority / cơ quan nước ngoài đã đăng ký
    foreign_country TEXT,          -- foreign country / quốc gia đã đăng ký
    replaces TEXT,                 -- entry that this one replaces / đăng ký lại cho
    source_reference TEXT,         -- reference in the source / mã hồ sơ nguồn
    deceased_name TEXT,            -- full name of the deceased
    deceased_sex TEXT,             -- sex of the deceased: 1 male, 2 female, 3 undetermined, 0 unknown
    deceased_birth_date TEXT,      -- date of birth of the deceased: dd.mm.yyyy, mm.yyyy or yyyy
    deceased_ethnicity TEXT,       -- ethnicity of the deceased
    deceased_nationality TEXT,     -- nationality of the deceased
    deceased_residence_kind TEXT,  -- kind of residence of the deceased
    deceased_residence TEXT,       -- residence of the deceased
    deceased_paper_kind TEXT,      -- kind of identity paper of the deceased
    deceased_paper_number TEXT,    -- number of the identity paper of the deceased
    deceased_personal_number TEXT, -- personal identification number of the deceased: 12 digits
    deceased_origin TEXT,          -- place of origin of the deceased
    event_date TEXT,               -- date of the event / ngày xảy ra sự kiện: dd.mm.yyyy, mm.yyyy or yyyy
    event_time TEXT,               -- time of the event / giờ phút
    event_place TEXT,              -- place of the event / nơi xảy ra sự kiện
    event_place_code TEXT,         -- code of the place of the event / mã ĐVHC nơi xảy ra sự kiện: code of the catalogue
    cause TEXT,                    -- cause of death / nguyên nhân chết
    declared_dead_on TEXT,         -- date a court declared the death / ngày tuyên bố việc chết
    declared_dead_basis TEXT,      -- ground of the declaration / căn cứ tuyên bố việc chết
    revoked_on TEXT,               -- date the declaration was revoked / ngày hủy tuyên bố việc chết
    revocation_basis TEXT,         -- ground of the revocation / căn cứ hủy tuyên bố việc chết
    notice_kind TEXT,              -- kind of death notice / loại giấy báo tử
    notice_number TEXT,            -- number of the death notice / số giấy báo tử
    notice_date TEXT,              -- date of the death notice / ngày giấy báo tử
    notice_issuer TEXT             -- issuer of the death notice / cơ quan cấp giấy báo tử
) STRICT;

-- The change log: one row for every committed state of an entry, in the order of commits. The agent fills the second
-- half of a row when it seals the change; sealed rows never change again. The checks avoid IN lists of three or more:
-- SQLite builds a temporary table for each of them in every statement, which costs writers five sixths of their speed.
CREATE TABLE change_log (
    change_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind      TEXT NOT NULL CHECK (kind = 'birth' OR kind = 'marriage' OR kind = 'death'),
    record_id INT NOT NULL,
    operation TEXT NOT NULL
        CHECK (operation = 'insert' OR operation = 'update' OR operation = 'cancel' OR operation = 'repair'),
    logged_ms INTEGER NOT NULL,             -- Unix milliseconds of the writer's clock
    backlog   INTEGER NOT NULL DEFAULT 0,   -- 1: came from an imported file
    image     TEXT,                         -- the state as JSON, kept only when a later change overtook the sealing
    -- sealed:
    lane      INTEGER CHECK (lane BETWEEN 1 AND 3),  -- 1 live, 2 repair, 3 backlog
    seq       INTEGER,                      -- place in the lane, from 1 without gaps
    version   INTEGER,                      -- of the record, from 1
    clock     INTEGER,                      -- hybrid logical clock, bits of an unsigned 64-bit number
    content_hash BLOB,                      -- SHA-256 of the canonical bytes
    chain     BLOB,                         -- hash chain of the lane after this change
    canonical BLOB                          -- the state, in canonical bytes
) STRICT;
CREATE UNIQUE INDEX change_log_by_seq ON change_log (lane, seq) WHERE seq IS NOT NULL;
CREATE INDEX change_log_by_record ON change_log (record_id);

-- How far each lane was sealed, received and applied; the centre's word for the last two.
CREATE TABLE lanes (
    lane          INTEGER PRIMARY KEY CHECK (lane IN (1, 2, 3)),
    sealed_seq    INTEGER NOT NULL DEFAULT 0,
    sealed_chain  BLOB NOT NULL,
    received_seq  INTEGER NOT NULL DEFAULT 0,
    applied_seq   INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What the centre answered, newest word per entry and subject. An applied entry without a notice was accepted as it is.
CREATE TABLE notices (
    record_id   INT NOT NULL,
    subject     TEXT NOT NULL,              -- 'entry', or the id of a finding that concerns the entry
    notice_seq  INTEGER NOT NULL,           -- order of the centre's words
    outcome     TEXT NOT NULL CHECK (outcome IN ('accepted', 'rejected', 'linked', 'case', 'resolved', 'closed')),
    rule        TEXT,                       -- the rule that found it
    others      TEXT,                       -- the other entries concerned, as JSON array of PROVINCE/ID
    english     TEXT NOT NULL,
    vietnamese  TEXT NOT NULL,
    detail      TEXT,                       -- JSON: violations, answers
    received_at TEXT NOT NULL,              -- RFC 3339, UTC
    PRIMARY KEY (record_id, subject)
) STRICT, WITHOUT ROWID;

-- What happens to births, noted in the writer's transaction.
CREATE TRIGGER births_key_taken BEFORE INSERT ON births
WHEN EXISTS (SELECT 1 FROM change_log WHERE record_id = new.record_id) BEGIN
    SELECT RAISE(ABORT, 'this record_id names another entry: leave record_id out, and the store gives a new one');
END;
CREATE TRIGGER births_inserted AFTER INSERT ON births BEGIN
    INSERT INTO change_log (kind, record_id, operation, logged_ms, backlog)
    VALUES ('birth', new.record_id, 'insert', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), new.import_id IS NOT NULL);
END;
CREATE TRIGGER births_updated AFTER UPDATE ON births BEGIN
    -- A state that was not sealed yet is kept as it was, so that no committed state is lost.
    UPDATE change_log SET image = json_object('status', old.status,
            'number', old.number, 'book', old.book,
            'page', old.page, 'registration_date', old.registration_date,
            'registration_type', old.registration_type, 'authority', old.authority,
            'signer', old.signer, 'signer_title', old.signer_title,
            'clerk', old.clerk, 'note', old.note,
            'declarant_name', old.declarant_name, 'declarant_relation', old.declarant_relation,
            'declarant_paper_kind', old.declarant_paper_kind, 'declarant_paper_number', old.declarant_paper_number,
            'foreign_number', old.foreign_number, 'foreign_date', old.foreign_date,
            'foreign_authority', old.foreign_authority, 'foreign_country', old.foreign_country,
            'replaces', old.replaces, 'source_reference', old.source_reference,
            'child_name', old.child_name, 'child_sex', old.child_sex,
            'child_birth_date', old.child_birth_date, 'birth_date_in_words', old.birth_date_in_words,
            'event_place', old.event_place, 'event_place_code', old.event_place_code,
            'child_origin', old.child_origin, 'child_ethnicity', old.child_ethnicity,
            'child_nationality', old.child_nationality, 'child_other_nationality', old.child_other_nationality,
            'child_personal_number', old.child_personal_number, 'birth_kind', old.birth_kind,
            'mother_name', old.mother_name, 'mother_birth_date', old.mother_birth_date,
            'mother_ethnicity', old.mother_ethnicity, 'mother_nationality', old.mother_nationality,
            'mother_other_nationality', old.mother_other_nationality, 'mother_residence_kind', old.mother_residence_kind,
            'mother_residence', old.mother_residence, 'mother_paper_kind', old.mother_paper_kind,
            'mother_paper_number', old.mother_paper_number, 'mother_personal_number', old.mother_personal_number,
            'father_name', old.father_name, 'father_birth_date', old.father_birth_date,
            'father_ethnicity', old.father_ethnicity, 'father_nationality', old.father_nationality,
            'father_other_nationality', old.father_other_nationality, 'father_residence_kind', old.father_residence_kind,
            'father_residence', old.father_residence, 'father_paper_kind', old.father_paper_kind,
            'father_paper_number', old.father_paper_number, 'father_personal_number', old.father_personal_number)
    WHERE record_id = old.record_id AND seq IS NULL AND image IS NULL AND kind = 'birth';
    INSERT INTO change_log (kind, record_id, operation, logged_ms, backlog)
    VALUES ('birth', new.record_id,
        CASE WHEN new.status = 'cancelled' AND old.status = 'active' THEN 'cancel' ELSE 'update' END,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 0);
END;
CREATE TRIGGER births_renamed BEFORE UPDATE OF record_id ON births WHEN new.record_id <> old.record_id BEGIN
    SELECT RAISE(ABORT, 'record_id never changes: cancel this birth (status = ''cancelled'') and insert another');
END;
CREATE TRIGGER births_deleted BEFORE DELETE ON births BEGIN
    SELECT RAISE(ABORT, 'a birth is never deleted: UPDATE births SET status = ''cancelled'' WHERE record_id = ... withdraws it');
END;

-- What happens to marriages, noted in the writer's transaction.
CREATE TRIGGER marriages_key_taken BEFORE INSERT ON marriages
WHEN EXISTS (SELECT 1 FROM change_log WHERE record_id = new.record_id) BEGIN
    SELECT RAISE(ABORT, 'this record_id names another entry: leave record_id out, and the store gives a new one');
END;
CREATE TRIGGER marriages_inserted AFTER INSERT ON marriages BEGIN
    INSERT INTO change_log (kind, record_id, operation, logged_ms, backlog)
    VALUES ('marriage', new.record_id, 'insert', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), new.import_id IS NOT NULL);
END;
CREATE TRIGGER marriages_updated AFTER UPDATE ON marriages BEGIN
    -- A state that was not sealed yet is kept as it was, so that no committed state is lost.
    UPDATE change_log SET image = json_object('status', old.status,
            'number', old.number, 'book', old.book,
            'page', old.page, 'registration_date', old.registration_date,
            'registration_type', old.registration_type, 'authority', old.authority,
            'signer', old.signer, 'signer_title', old.signer_title,
            'clerk', old.clerk, 'note', old.note,
            'declarant_name', old.declarant_name, 'declarant_relation', old.declarant_relation,
            'declarant_paper_kind', old.declarant_paper_kind, 'declarant_paper_number', old.declarant_paper_number,
            'foreign_number', old.foreign_number, 'foreign_date', old.foreign_date,
            'foreign_authority', old.foreign_authority, 'foreign_country', old.foreign_country,
            'replaces', old.replaces, 'source_reference', old.source_reference,
            'husband_name', old.husband_name, 'husband_birth_date', old.husband_birth_date,
            'husband_ethnicity', old.husband_ethnicity, 'husband_nationality', old.husband_nationality,
            'husband_residence_kind', old.husband_residence_kind, 'husband_residence', old.husband_residence,
            'husband_paper_kind', old.husband_paper_kind, 'husband_paper_number', old.husband_paper_number,
            'husband_paper_date', old.husband_paper_date, 'husband_paper_issuer', old.husband_paper_issuer,
            'husband_personal_number', old.husband_personal_number, 'husband_origin', old.husband_origin,
            'wife_name', old.wife_name, 'wife_birth_date', old.wife_birth_date,
            'wife_ethnicity', old.wife_ethnicity, 'wife_nationality', old.wife_nationality,
            'wife_residence_kind', old.wife_residence_kind, 'wife_residence', old.wife_residence,
            'wife_paper_kind', old.wife_paper_kind, 'wife_paper_number', old.wife_paper_number,
            'wife_paper_date', old.wife_paper_date, 'wife_paper_issuer', old.wife_paper_issuer,
            'wife_personal_number', old.wife_personal_number, 'wife_origin', old.wife_origin,
            'event_date', old.event_date, 'marriage_status', old.marriage_status,
            'annulled_on', old.annulled_on, 'annulment_basis', old.annulment_basis,
            'recognised_on', old.recognised_on, 'recognition_basis', old.recognition_basis,
            'divorced_on', old.divorced_on, 'divorce_basis', old.divorce_basis)
    WHERE record_id = old.record_id AND seq IS NULL AND image IS NULL AND kind = 'marriage';
    INSERT INTO change_log (kind, record_id, operation, logged_ms, backlog)
    VALUES ('marriage', new.record_id,
        CASE WHEN new.status = 'cancelled' AND old.status = 'active' THEN 'cancel' ELSE 'update' END,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 0);
END;
CREATE TRIGGER marriages_renamed BEFORE UPDATE OF record_id ON marriages WHEN new.record_id <> old.record_id BEGIN
    SELECT RAISE(ABORT, 'record_id never changes: cancel this marriage (status = ''cancelled'') and insert another');
END;
CREATE TRIGGER marriages_deleted BEFORE DELETE ON marriages BEGIN
    SELECT RAISE(ABORT, 'a marriage is never deleted: UPDATE marriages SET status = ''cancelled'' WHERE record_id = ... withdraws it');
END;

-- What happens to deaths, noted in the writer's transaction.
CREATE TRIGGER deaths_key_taken BEFORE INSERT ON deaths
WHEN EXISTS (SELECT 1 FROM change_log WHERE record_id = new.record_id) BEGIN
    SELECT RAISE(ABORT, 'this record_id names another entry: leave record_id out, and the store gives a new one');
END;
CREATE TRIGGER deaths_inserted AFTER INSERT ON deaths BEGIN
    INSERT INTO change_log (kind, record_id, operation, logged_ms, backlog)
    VALUES ('death', new.record_id, 'insert', CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), new.import_id IS NOT NULL);
END;
CREATE TRIGGER deaths_updated AFTER UPDATE ON deaths BEGIN
    -- A state that was not sealed yet is kept as it was, so that no committed state is lost.
    UPDATE change_log SET image = json_object('status', old.status,
            'number', old.number, 'book', old.book,
            'page', old.page, 'registration_date', old.registration_date,
            'registration_type', old.registration_type, 'authority', old.authority,
            'signer', old.signer, 'signer_title', old.signer_title,
            'clerk', old.clerk, 'note', old.note,
            'declarant_name', old.declarant_name, 'declarant_relation', old.declarant_relation,
            'declarant_paper_kind', old.declarant_paper_kind, 'declarant_paper_number', old.declarant_paper_number,
            'foreign_number', old.foreign_number, 'foreign_date', old.foreign_date,
            'foreign_authority', old.foreign_authority, 'foreign_country', old.foreign_country,
            'replaces', old.replaces, 'source_reference', old.source_reference,
            'deceased_name', old.deceased_name, 'deceased_sex', old.deceased_sex,
            'deceased_birth_date', old.deceased_birth_date, 'deceased_ethnicity', old.deceased_ethnicity,
            'deceased_nationality', old.deceased_nationality, 'deceased_residence_kind', old.deceased_residence_kind,
            'deceased_residence', old.deceased_residence, 'deceased_paper_kind', old.deceased_paper_kind,
            'deceased_paper_number', old.deceased_paper_number, 'deceased_personal_number', old.deceased_personal_number,
            'deceased_origin', old.deceased_origin, 'event_date', old.event_date,
            'event_time', old.event_time, 'event_place', old.event_place,
            'event_place_code', old.event_place_code, 'cause', old.cause,
            'declared_dead_on', old.declared_dead_on, 'declared_dead_basis', old.declared_dead_basis,
            'revoked_on', old.revoked_on, 'revocation_basis', old.revocation_basis,
            'notice_kind', old.notice_kind, 'notice_number', old.notice_number,
            'notice_date', old.notice_date, 'notice_issuer', old.notice_issuer)
    WHERE record_id = old.record_id AND seq IS NULL AND image IS NULL AND kind = 'death';
    INSERT INTO change_log (kind, record_id, operation, logged_ms, backlog)
    VALUES ('death', new.record_id,
        CASE WHEN new.status = 'cancelled' AND old.status = 'active' THEN 'cancel' ELSE 'update' END,
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER), 0);
END;
CREATE TRIGGER deaths_renamed BEFORE UPDATE OF record_id ON deaths WHEN new.record_id <> old.record_id BEGIN
    SELECT RAISE(ABORT, 'record_id never changes: cancel this death (status = ''cancelled'') and insert another');
END;
CREATE TRIGGER deaths_deleted BEFORE DELETE ON deaths BEGIN
    SELECT RAISE(ABORT, 'a death is never deleted: UPDATE deaths SET status = ''cancelled'' WHERE record_id = ... withdraws it');
END;

-- How each entry stands, for clerks' screens.
CREATE VIEW entry_states AS
SELECT newest.record_id, newest.kind,
    CASE
        WHEN newest.seq IS NULL THEN 'waiting'
        WHEN newest.seq > lanes.received_seq THEN 'sealed'
        WHEN newest.seq > lanes.applied_seq THEN 'received'
        ELSE coalesce((SELECT outcome FROM notices WHERE notices.record_id = newest.record_id
                        AND outcome NOT IN ('accepted', 'closed', 'resolved')
                        ORDER BY CASE outcome WHEN 'rejected' THEN 0 WHEN 'case' THEN 1 ELSE 2 END LIMIT 1), 'accepted')
    END AS state
FROM change_log AS newest LEFT JOIN lanes ON lanes.lane = newest.lane
WHERE newest.change_id = (SELECT max(change_id) FROM change_log AS every WHERE every.record_id = newest.record_id);
