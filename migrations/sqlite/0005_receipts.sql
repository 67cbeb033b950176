-- Withdrawn documents this tablet has purged, until the server has confirmed the receipt.
CREATE TABLE sync_receipt (
    seq       INTEGER PRIMARY KEY,   -- feed number of the withdrawal
    table_id  INTEGER NOT NULL,
    record    BLOB    NOT NULL,
    facet     INTEGER NOT NULL,
    purged_at INTEGER                -- null until the bytes have left the file and its log
) STRICT;
