-- 0012_deliveries: attempts that use up nothing, replays, and how destinations fare.

-- All attempts made, and when it was queued anew (0: never).
ALTER TABLE outbox ADD COLUMN tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
UPDATE outbox SET tries = attempts;

CREATE INDEX outbox_held ON outbox (destination) WHERE state = 'held';
CREATE INDEX outbox_ended ON outbox (state, due) WHERE state IN ('delivered', 'dead', 'skipped');

-- Of the address and secrets with which a destination got into its state: with other ones it is
-- taken out of it.
ALTER TABLE destination_state ADD COLUMN fingerprint BLOB;

CREATE TABLE destination_health (
    destination TEXT PRIMARY KEY,
    last_success INTEGER,
    failing_since INTEGER, -- since its last success; null: it does not fail
    failures INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
