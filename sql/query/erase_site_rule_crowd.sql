-- erase_site_rule_crowd: ?1 site; no columns; erase.c
DELETE FROM rule_crowd WHERE site = ?1
