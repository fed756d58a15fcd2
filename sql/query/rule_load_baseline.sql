-- rule_load_baseline: ?1 rule, ?2 site, ?3 group, ?4 format; at, last, state; baseline_store.c
SELECT at, last, state FROM rule_baselines
WHERE rule = ?1 AND site = ?2 AND grp = ?3 AND format = ?4
