-- 0013_more_rules: what rules that count, wait or gather know of a group.

-- Counted since the first event; since when it has held what `for` waits for, or the
-- window of a ctr that rang last; when the first alert of a digest was gathered.
ALTER TABLE rule_state ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_state ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_state ADD COLUMN digest_from INTEGER NOT NULL DEFAULT 0;

-- Entries that say that an export was pulled.
CREATE INDEX entries_pulls ON entries (seq) WHERE kind = 5;

-- Views and clicks of a ctr rule's group by the windows that begin at `at`.
CREATE TABLE rule_slots (
    rule INTEGER NOT NULL,
    site INTEGER NOT NULL,
    grp TEXT NOT NULL,
    at INTEGER NOT NULL,
    views INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    PRIMARY KEY (rule, site, grp, at)
) STRICT, WITHOUT ROWID;

-- Alerts that wait for the digest of their rule and site.
CREATE TABLE rule_gathered (
    rule INTEGER NOT NULL,
    site INTEGER NOT NULL,
    alert TEXT NOT NULL,
    PRIMARY KEY (rule, site, alert)
) STRICT, WITHOUT ROWID;

-- Nobody is told that an alert is over of which he never heard.
CREATE TRIGGER outbox_never_fired AFTER UPDATE OF state ON outbox
WHEN new.state = 'dead' AND old.state <> 'dead' BEGIN
    UPDATE outbox SET state = 'skipped', reason = 'fired_never_delivered'
    WHERE message = new.message || '_resolved' AND destination = new.destination
        AND state = 'waiting';
END;

-- Digests hold what alerts say, so erasing looks into them.
CREATE INDEX messages_digests ON messages (id) WHERE type = 'alert.digest';

-- When an alert of a rule went out last.
CREATE INDEX alerts_fired ON alerts (rule, fired) WHERE held_back IS NULL;

-- Entries that say which figures are incomplete.
CREATE INDEX entries_coverage ON entries (seq) WHERE kind = 8;
