-- rule_forget_state: ?1 rule, ?2 most; no columns; alert_store.c
DELETE FROM rule_state WHERE (rule, site, grp) IN
    (SELECT rule, site, grp FROM rule_state WHERE rule = ?1 LIMIT ?2)
