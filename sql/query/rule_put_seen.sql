-- rule_put_seen: ?1 rule, ?2 site, ?3 hash, ?4 time; no columns; alert_store.c
INSERT INTO rule_seen (rule, site, key_hash, last_seen) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (rule, site, key_hash) DO UPDATE SET last_seen = max(last_seen, excluded.last_seen)
