-- rules_muted_until: ?1 rule's number; muted_until of the whole rule; rules_store.c
SELECT muted_until FROM rule_state WHERE rule = ?1 AND site = 0 AND grp = ''
