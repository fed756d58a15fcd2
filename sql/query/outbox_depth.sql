-- outbox_depth: ?1 destination; waiting, held, created of the oldest waiting or null, alerts ever left out or null; outbox_store.c
SELECT (SELECT count(*) FROM outbox WHERE destination = ?1 AND state = 'waiting'),
    (SELECT count(*) FROM outbox WHERE destination = ?1 AND state = 'held'),
    (SELECT created FROM outbox WHERE number =
        (SELECT min(number) FROM outbox WHERE destination = ?1 AND state = 'waiting')),
    (SELECT left_out FROM outbox_backlog WHERE destination = ?1)
