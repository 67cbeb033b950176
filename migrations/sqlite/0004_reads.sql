-- The lease as time spent without the server, and what the server's audit was last known to hold.
ALTER TABLE sync_meta DROP COLUMN lease_until;
ALTER TABLE sync_meta ADD COLUMN lease_us INTEGER;                       -- how long may be spent; null before the first session
ALTER TABLE sync_meta ADD COLUMN lease_used_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sync_meta ADD COLUMN lease_seen_us INTEGER NOT NULL DEFAULT 0; -- this clock when it was last looked at
ALTER TABLE sync_meta ADD COLUMN audit_key BLOB;                         -- whose checkpoints are believed: the first one seen
ALTER TABLE sync_meta ADD COLUMN audit_doubt TEXT;                       -- why the server's audit is not believed

-- Reads of patient content the server does not have in its audit yet.
CREATE TABLE sync_read (
    n        INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB    NOT NULL UNIQUE,
    at       INTEGER NOT NULL,
    person   BLOB,
    table_id INTEGER,
    record   BLOB,
    facets   INTEGER NOT NULL,
    query    BLOB
) STRICT;

-- The newest checkpoints of the server's audit: evidence outside the server.
CREATE TABLE sync_checkpoint (
    size  INTEGER NOT NULL,
    hash  BLOB    NOT NULL,
    bytes BLOB    NOT NULL,   -- CBOR
    epoch BLOB,               -- the server's epoch when it was told: a restored server begins another line
    UNIQUE (size, hash)
) STRICT;
