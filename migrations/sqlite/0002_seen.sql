-- Records met while everything is fetched again; what was not met is dropped at the end.
CREATE TABLE sync_seen (
    table_id INTEGER NOT NULL,
    record   BLOB    NOT NULL,
    PRIMARY KEY (table_id, record)
) STRICT, WITHOUT ROWID;
