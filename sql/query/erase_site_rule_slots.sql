-- erase_site_rule_slots: ?1 site; no columns; erase.c
DELETE FROM rule_slots WHERE site = ?1
