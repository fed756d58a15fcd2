-- rule_get_seen: ?1 rule, ?2 site, ?3 hash; last_seen; alert_store.c
SELECT last_seen FROM rule_seen WHERE rule = ?1 AND site = ?2 AND key_hash = ?3
