-- rule_forget_seen: ?1 rule, ?2 most; no columns; alert_store.c
DELETE FROM rule_seen WHERE (rule, site, key_hash) IN
    (SELECT rule, site, key_hash FROM rule_seen WHERE rule = ?1 LIMIT ?2)
