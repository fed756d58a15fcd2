-- rule_drop_state: ?1 rule, ?2 site, ?3 group; no columns; alert_store.c
DELETE FROM rule_state WHERE rule = ?1 AND site = ?2 AND grp = ?3
