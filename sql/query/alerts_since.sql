-- alerts_since: ?1 after number, ?2 most; number, id, fired, state, held_back, data, site, resolved, acked; alerts_store.c
SELECT number, id, fired, state, held_back, data, site, resolved, acked FROM alerts
WHERE number > ?1 AND state <> 'held' ORDER BY number LIMIT ?2
