-- alerts_rehearsed: ?1 from, ?2 to; number, id, fired, state, held_back, data, site, resolved, acked; alerts_store.c
SELECT number, id, fired, state, held_back, data, site, resolved, acked FROM alerts
WHERE fired >= ?1 AND fired < ?2 AND held_back IS NULL
ORDER BY number
