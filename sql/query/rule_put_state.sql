-- rule_put_state: ?1 rule, ?2 site, ?3 group, ?4 to ?14 the columns of a state; no columns; alert_store.c
INSERT OR REPLACE INTO rule_state (rule, site, grp, last_fired, firing, day, day_count,
    began, alert, held_count, muted_until, total, since, digest_from)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
