-- rule_expire_crowd: ?1 time, ?2 most; no columns; alert_store.c
DELETE FROM rule_crowd WHERE (expires_at, rule, site, key_hash) IN
    (SELECT expires_at, rule, site, key_hash FROM rule_crowd WHERE expires_at < ?1 LIMIT ?2)
