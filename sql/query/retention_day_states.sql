-- retention_day_states: ?1 site, ?2 day; no columns; retention.c
DELETE FROM day_state WHERE site = ?1 AND day < ?2
