-- rule_get_state: ?1 rule, ?2 site, ?3 group; last_fired, firing, day, day_count; alert_store.c
SELECT last_fired, firing, day, day_count FROM rule_state
WHERE rule = ?1 AND site = ?2 AND grp = ?3
