-- erase_site_rule_seen: ?1 site; no columns; erase.c
DELETE FROM rule_seen WHERE site = ?1
