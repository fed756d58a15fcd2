-- 0006_days: the zone under which a site's days stand, and which of them are stale.
ALTER TABLE day_state DROP COLUMN timezone;
CREATE INDEX day_state_stale ON day_state (day, site) WHERE generation != built_generation;

-- No row, or another zone than the site has now: its days are not yet listed.
CREATE TABLE day_zones (
    site INTEGER PRIMARY KEY,
    timezone TEXT NOT NULL
) STRICT;
