-- Files of patients: what is here of each, under which key, and whether the server has it.
CREATE TABLE sync_blob (
    -- SHA-256 of the whole file.
    address BLOB PRIMARY KEY,
    -- AES-256, of this file alone: who deletes the row makes the file unreadable.
    key BLOB NOT NULL,
    -- Bytes of the whole file.
    size INTEGER NOT NULL,
    -- Chunks that are here, from the first.
    chunks INTEGER NOT NULL,
    -- The server said that it has the file, whole and verified.
    custody INTEGER NOT NULL,
    -- Taken off the tablet to make room; fetched again when somebody asks for it.
    pruned INTEGER NOT NULL DEFAULT 0,
    -- A record has named it.
    named INTEGER NOT NULL DEFAULT 0,
    -- A small picture of it.
    thumb BLOB,
    added_at INTEGER NOT NULL
) WITHOUT ROWID;
