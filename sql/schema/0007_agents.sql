-- 0007_agents: which entry of the list of crawlers an event's user agent matched or
-- might have, as a 32-bit hash, so that a newer list can be applied to it.
ALTER TABLE events ADD COLUMN bot_entry INTEGER;
