-- CBOR: who may be an author on this tablet; null for every member of the clinic.
ALTER TABLE sync_meta ADD COLUMN people BLOB;
