-- rule_each_state: ?1 rule; site, group, the columns of a state; alert_store.c
SELECT site, grp, last_fired, firing, day, day_count, began, alert, held_count, muted_until,
    total, since, digest_from
FROM rule_state WHERE rule = ?1
    AND (firing <> 0 OR began <> 0 OR muted_until <> 0 OR since <> 0 OR digest_from <> 0)
