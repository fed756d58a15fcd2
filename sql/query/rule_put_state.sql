-- rule_put_state: ?1 rule, ?2 site, ?3 group, ?4 last_fired, ?5 firing, ?6 day, ?7 day_count; no columns; alert_store.c
INSERT OR REPLACE INTO rule_state (rule, site, grp, last_fired, firing, day, day_count)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
