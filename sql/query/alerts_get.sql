-- alerts_get: ?1 id; the columns of alerts_list; alerts_store.c
SELECT number, id, fired, state, held_back, data, site, resolved, acked FROM alerts
WHERE id = ?1
