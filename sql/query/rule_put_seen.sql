-- rule_put_seen: ?1 rule, ?2 site, ?3 hash, ?4 time, ?5 a later time stays; no columns; alert_store.c
INSERT INTO rule_seen (rule, site, key_hash, last_seen) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (rule, site, key_hash) DO UPDATE SET
    last_seen = CASE WHEN ?5 THEN max(last_seen, excluded.last_seen) ELSE excluded.last_seen END
