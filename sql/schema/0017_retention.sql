-- 0017_retention: events go by age.

-- Events of the site with ts before it have aged out (UTC ms); days up to it are frozen.
ALTER TABLE sites ADD COLUMN horizon INTEGER;

-- Of whom and when, so that contacts go with their events.
ALTER TABLE contacts ADD COLUMN site INTEGER;
ALTER TABLE contacts ADD COLUMN ts INTEGER;
UPDATE contacts SET site = (SELECT site FROM events WHERE events.seq = contacts.seq),
    ts = (SELECT ts FROM events WHERE events.seq = contacts.seq);
CREATE INDEX contacts_age ON contacts (site, ts);
