-- rule_forget_baselines: ?1 rule, ?2 most; no columns; alert_store.c, baseline_store.c
DELETE FROM rule_baselines WHERE rowid IN
    (SELECT rowid FROM rule_baselines WHERE rule = ?1 LIMIT ?2)
