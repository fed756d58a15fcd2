-- erase_site_rule_gathered: ?1 site; no columns; erase.c
DELETE FROM rule_gathered WHERE site = ?1
