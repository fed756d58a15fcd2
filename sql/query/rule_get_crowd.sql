-- rule_get_crowd: ?1 rule, ?2 site, ?3 hash, ?4 when it expires; one row if it is there; alert_store.c
SELECT 1 FROM rule_crowd WHERE expires_at = ?4 AND rule = ?1 AND site = ?2 AND key_hash = ?3
