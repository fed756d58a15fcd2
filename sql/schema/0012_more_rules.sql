-- 0012_more_rules: what rules that count, wait or gather know of a group.

-- Counted since the first event; since when it has held what `for` waits for, or the
-- window of a ctr that rang last; when the first alert of a digest was gathered.
ALTER TABLE rule_state ADD COLUMN total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_state ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_state ADD COLUMN digest_from INTEGER NOT NULL DEFAULT 0;

-- Entries that say that an export was pulled.
CREATE INDEX entries_pulls ON entries (seq) WHERE kind = 5;
