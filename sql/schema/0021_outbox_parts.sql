-- 0021_outbox_parts: a transform may make several messages of one for a destination: part 1
-- (all there is without one) and what follows, each with a delivery of its own.

CREATE TABLE outbox_with_parts (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL,
    destination TEXT NOT NULL,
    part INTEGER NOT NULL DEFAULT 1,
    state TEXT NOT NULL, -- waiting, sending, held, delivered, dead, skipped
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT,
    remote_id TEXT,
    tries INTEGER NOT NULL DEFAULT 0,  -- all attempts made
    queued INTEGER NOT NULL DEFAULT 0, -- when it was queued anew (0: never)
    UNIQUE (message, destination, part)
) STRICT;
INSERT INTO outbox_with_parts (number, id, message, destination, state, created, due, attempts,
    reason, remote_id, tries, queued)
SELECT number, id, message, destination, state, created, due, attempts, reason, remote_id, tries, queued
FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_with_parts RENAME TO outbox;

CREATE INDEX outbox_due ON outbox (destination, due) WHERE state = 'waiting';
CREATE INDEX outbox_held ON outbox (destination) WHERE state = 'held';
CREATE INDEX outbox_ended ON outbox (state, due) WHERE state IN ('delivered', 'dead', 'skipped');

-- Nobody is told that an alert is over of which he never heard.
CREATE TRIGGER outbox_never_fired AFTER UPDATE OF state ON outbox
WHEN new.state = 'dead' AND old.state <> 'dead' AND new.part = 1 BEGIN
    UPDATE outbox SET state = 'skipped', reason = 'fired_never_delivered'
    WHERE message = new.message || '_resolved' AND destination = new.destination
        AND state = 'waiting';
END;
