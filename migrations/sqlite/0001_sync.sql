-- The tablet's own bookkeeping. The tables of records are made from the catalogue.

-- Where the replica stands. One row.
CREATE TABLE sync_meta (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    nonce             BLOB    NOT NULL,             -- equals the sidecar file's; otherwise the file was copied or restored
    generation        INTEGER NOT NULL DEFAULT 1,   -- part of the actor of this device's changes
    cursor            INTEGER NOT NULL DEFAULT -1,  -- last feed number applied
    reference_seq     INTEGER NOT NULL DEFAULT 0,
    digest            BLOB    NOT NULL,             -- sum over confirmed documents
    server_epoch      BLOB,
    head              INTEGER NOT NULL DEFAULT -1,  -- newest feed number heard of
    bootstrap         BLOB,                         -- CBOR: position, start head, done, total, whether rows existed before
    last_confirmed_at INTEGER,
    clock_offset_us   INTEGER NOT NULL DEFAULT 0,
    clock_uncertainty_ms INTEGER,
    clock_measured_at INTEGER,
    lease_until       INTEGER,
    repair            INTEGER NOT NULL DEFAULT 0,   -- documents were found to differ; ask for repair when caught up
    copied_at         INTEGER,                      -- when a copied or restored file was last noticed
    stopped           TEXT                          -- why the server does not want this device any more
) STRICT;

CREATE TABLE sync_identity (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    device      BLOB NOT NULL,
    name        TEXT NOT NULL,
    clinic      BLOB NOT NULL,
    clinic_name TEXT NOT NULL,
    network     BLOB,
    audience    TEXT NOT NULL,
    server_url  TEXT NOT NULL,
    pin         BLOB NOT NULL,
    pkcs8       BLOB NOT NULL
) STRICT;

-- Documents that are more than their row: live changes, a later epoch, pending changes, or not (or no longer) the server's.
CREATE TABLE sync_document (
    table_id  INTEGER NOT NULL,
    record    BLOB    NOT NULL,
    facet     INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    standing  INTEGER NOT NULL,   -- 0 only here yet, 1 the server's: it counts in the digest, 2 withdrawn from this tablet
    confirmed BLOB,               -- saved bytes as the server has it; null for one that is only here
    heads     BLOB    NOT NULL,   -- its live heads, 32 bytes each
    clamps    BLOB,               -- CBOR: change hash, merge instant
    UNIQUE (table_id, record, facet)
) STRICT;

-- What people did. Accepted ones stay 30 days, to heal a server restored from a backup.
CREATE TABLE sync_intent (
    n              INTEGER PRIMARY KEY AUTOINCREMENT,
    edit           BLOB    NOT NULL UNIQUE,
    state          INTEGER NOT NULL,   -- store/intents.rs
    captured_at    INTEGER NOT NULL,
    intent         TEXT    NOT NULL,   -- JSON
    envelope       BLOB    NOT NULL,
    signature      BLOB    NOT NULL,
    reexpressed    INTEGER NOT NULL DEFAULT 0,   -- the bytes changed after they were sent
    code           TEXT,
    set_aside_as   TEXT,
    seq            INTEGER,
    merged_at      INTEGER,
    settled_at     INTEGER,
    closed_how     TEXT,
    closed_by      BLOB,
    closed_at      INTEGER
) STRICT;
CREATE INDEX sync_intent_open ON sync_intent (state, n) WHERE state < 6;

-- Its changes, until they are part of confirmed documents.
CREATE TABLE sync_change (
    n        INTEGER NOT NULL,
    position INTEGER NOT NULL,
    table_id INTEGER NOT NULL,
    record   BLOB    NOT NULL,
    facet    INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    bytes    BLOB    NOT NULL,
    UNIQUE (n, position)
) STRICT;
CREATE INDEX sync_change_document ON sync_change (record, table_id, facet, n);

-- Fields of guarded kind with several values.
CREATE TABLE sync_conflict (
    table_id INTEGER NOT NULL,
    record   BLOB    NOT NULL,
    facet    INTEGER NOT NULL,
    field    TEXT    NOT NULL,
    choices  TEXT    NOT NULL,   -- JSON
    since    INTEGER NOT NULL,
    UNIQUE (record, table_id, facet, field)
) STRICT;

-- Accent-insensitive search. Holds no text itself.
CREATE VIRTUAL TABLE sync_search USING fts5 (
    name, cpf, phone, email,
    content = '', contentless_delete = 1, detail = none, tokenize = "unicode61 remove_diacritics 2"
);
