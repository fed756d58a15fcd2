-- rule_drop_baseline: ?1 rule, ?2 site, ?3 group; no columns; baseline_store.c
DELETE FROM rule_baselines WHERE rule = ?1 AND site = ?2 AND grp = ?3
