-- rule_put_crowd: ?1 rule, ?2 site, ?3 hash, ?4 when it expires; no columns; alert_store.c
INSERT OR IGNORE INTO rule_crowd (expires_at, rule, site, key_hash) VALUES (?4, ?1, ?2, ?3)
