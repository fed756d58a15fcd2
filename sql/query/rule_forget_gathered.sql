-- rule_forget_gathered: ?1 rule, ?2 most; no columns; alert_store.c
DELETE FROM rule_gathered WHERE (rule, site, alert) IN
    (SELECT rule, site, alert FROM rule_gathered WHERE rule = ?1 LIMIT ?2)
