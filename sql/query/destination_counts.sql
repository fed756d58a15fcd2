-- destination_counts: ?1 destination; state or null, reason, waiting, held, dead, last success or null; destination_store.c
SELECT (SELECT state FROM destination_state WHERE destination = ?1),
    (SELECT reason FROM destination_state WHERE destination = ?1),
    (SELECT count(*) FROM outbox WHERE destination = ?1 AND state = 'waiting'),
    (SELECT count(*) FROM outbox WHERE destination = ?1 AND state = 'held'),
    (SELECT count(*) FROM outbox WHERE destination = ?1 AND state IN ('dead')),
    (SELECT last_success FROM destination_health WHERE destination = ?1)
