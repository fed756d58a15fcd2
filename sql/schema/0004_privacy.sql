-- 0004_privacy: finding a person again, and forgetting one.

-- Keyed hash of the trimmed and folded address of any lead that gave one.
ALTER TABLE contacts ADD COLUMN email_hash INTEGER;
CREATE INDEX contacts_email ON contacts (email_hash) WHERE email_hash IS NOT NULL;

-- Ids of erased events, so that a late repeat stays a duplicate.
CREATE TABLE erased_ids (
    seq INTEGER PRIMARY KEY,
    id_hash INTEGER NOT NULL,
    received INTEGER NOT NULL,
    erased INTEGER NOT NULL
) STRICT;
CREATE INDEX erased_ids_erased ON erased_ids (erased);

-- Numbers of the dictionary that erased events had: dropped when nobody else has them.
CREATE TABLE erased_dict (
    number INTEGER PRIMARY KEY
) STRICT;

ALTER TABLE messages ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;

-- Whom an alert is about, until that is erased.
ALTER TABLE alerts ADD COLUMN event_id TEXT;
ALTER TABLE alerts ADD COLUMN visitor TEXT;
UPDATE alerts SET event_id = json_extract(data, '$.event.id'),
    visitor = json_extract(data, '$.group.visitor');
CREATE INDEX alerts_event ON alerts (event_id, site) WHERE event_id IS NOT NULL;
CREATE INDEX alerts_visitor ON alerts (visitor, site) WHERE visitor IS NOT NULL;
