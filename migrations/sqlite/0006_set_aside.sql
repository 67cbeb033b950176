-- Set-aside edits: asking for their fate again, telling the server what was decided here, and what was decided there.
ALTER TABLE sync_intent ADD COLUMN ask INTEGER NOT NULL DEFAULT 0;    -- 1 its fate is to be asked again, 2 asked
ALTER TABLE sync_intent ADD COLUMN told INTEGER NOT NULL DEFAULT 0;   -- a decision: 1 to be told, 2 told, 3 known there
ALTER TABLE sync_intent ADD COLUMN decided_by BLOB;                   -- who decided on the server
ALTER TABLE sync_intent ADD COLUMN reason TEXT;                       -- why, in that person's words
CREATE INDEX sync_intent_ask ON sync_intent (ask, n) WHERE ask > 0;
CREATE INDEX sync_intent_told ON sync_intent (told, n) WHERE told IN (1, 2);
