-- 0011_rules: what a rule knows of a group, and what became of an alert.

-- When a group of a rule that waits for too little began; the alert that it
-- fired last; how many of the day's alerts were held back; until when it is mute.
ALTER TABLE rule_state ADD COLUMN began INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_state ADD COLUMN alert TEXT;
ALTER TABLE rule_state ADD COLUMN held_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_state ADD COLUMN muted_until INTEGER NOT NULL DEFAULT 0;

ALTER TABLE alerts ADD COLUMN resolved INTEGER;
ALTER TABLE alerts ADD COLUMN acked INTEGER;
ALTER TABLE alerts ADD COLUMN note TEXT;

-- rule_ready has a row for each rule that anything is kept of; seq 0: it has to learn.
-- Values of first_seen are kept as keyed hashes from here on: rules learn anew.
DELETE FROM rule_seen;
DELETE FROM rule_ready;

-- Entries that say how long nobody listened, or that the clock was set back.
CREATE INDEX entries_jumps ON entries (seq) WHERE kind IN (2, 6);
