-- rule_drop_slots: ?1 rule, ?2 site, ?3 group, ?4 before; no columns; slot_store.c
DELETE FROM rule_slots WHERE rule = ?1 AND site = ?2 AND grp = ?3 AND at < ?4
