-- rule_each_baseline: ?1 rule; site, group; baseline_store.c
SELECT site, grp FROM rule_baselines WHERE rule = ?1 ORDER BY site, grp
