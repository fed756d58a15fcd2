-- alerts_delivery: ?1 delivery; number, id, message, type, rule, site, destination, state, created, due, attempts, reason, remote_id, body, erased; alerts_store.c
SELECT o.number, o.id, o.message || iif(o.part > 1, '_' || o.part, ''), m.type, m.rule, m.site, o.destination, o.state,
    o.created, o.due, o.attempts, o.reason, o.remote_id, m.body, m.erased
FROM outbox o JOIN messages m ON m.id = o.message WHERE o.id = ?1
