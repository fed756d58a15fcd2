-- alerts_list: ?1 site, ?2 rule, ?3 state, ?4 severity, ?5 from, ?6 to, ?7 before number; number, id, fired, state, held_back, data, site, resolved, acked; alerts_store.c
SELECT number, id, fired, state, held_back, data, site, resolved, acked FROM alerts
WHERE number < ?7 AND (?1 IS NULL OR site = ?1) AND (?2 IS NULL OR rule = ?2)
    AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR severity = ?4)
    AND fired >= ?5 AND fired < ?6
ORDER BY number DESC
