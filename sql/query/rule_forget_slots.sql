-- rule_forget_slots: ?1 rule, ?2 most; no columns; slot_store.c
DELETE FROM rule_slots WHERE (rule, site, grp, at) IN
    (SELECT rule, site, grp, at FROM rule_slots WHERE rule = ?1 LIMIT ?2)
