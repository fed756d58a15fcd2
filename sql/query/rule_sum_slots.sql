-- rule_sum_slots: ?1 rule, ?2 site, ?3 group, ?4 from, ?5 to; views, clicks; slot_store.c
SELECT coalesce(sum(views), 0), coalesce(sum(clicks), 0) FROM rule_slots
WHERE rule = ?1 AND site = ?2 AND grp = ?3 AND at >= ?4 AND at < ?5
