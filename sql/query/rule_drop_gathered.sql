-- rule_drop_gathered: ?1 rule, ?2 site; no columns; digest_store.c
DELETE FROM rule_gathered WHERE rule = ?1 AND site = ?2
