-- The clinic's public key (X25519) unsent work is sealed to, as the server last said.
ALTER TABLE sync_meta ADD COLUMN escrow_key BLOB;
