-- alerts_deliveries: ?1 site, ?2 rule, ?3 state, ?4 destination, ?5 from, ?6 to, ?7 before number; number, id, message, type, rule, site, destination, state, created, due, attempts, reason, remote_id; alerts_store.c
SELECT o.number, o.id, o.message || iif(o.part > 1, '_' || o.part, ''), m.type, m.rule, m.site, o.destination, o.state,
    o.created, o.due, o.attempts, o.reason, o.remote_id
FROM outbox o JOIN messages m ON m.id = o.message
WHERE o.number < ?7 AND (?1 IS NULL OR m.site = ?1) AND (?2 IS NULL OR m.rule = ?2)
    AND (?3 IS NULL OR o.state = ?3) AND (?4 IS NULL OR o.destination = ?4)
    AND o.created >= ?5 AND o.created < ?6
ORDER BY o.number DESC
