-- erase_site_rule_baselines: ?1 site; no columns; erase.c
DELETE FROM rule_baselines WHERE site = ?1
