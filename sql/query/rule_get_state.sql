-- rule_get_state: ?1 rule, ?2 site, ?3 group; the columns of a state; alert_store.c
SELECT last_fired, firing, day, day_count, began, alert, held_count, muted_until, total, since,
    digest_from
FROM rule_state WHERE rule = ?1 AND site = ?2 AND grp = ?3
