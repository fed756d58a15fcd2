-- erase_site_rule_state: ?1 site; no columns; erase.c
DELETE FROM rule_state WHERE site = ?1
