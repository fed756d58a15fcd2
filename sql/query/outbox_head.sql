-- outbox_head: ?1 destination; id, message, destination, body, created, attempts, tries, queued, remote id, due, part; outbox_store.c
SELECT o.id, o.message || iif(o.part > 1, '_' || o.part, ''), o.destination, m.body, o.created, o.attempts, o.tries, o.queued, o.remote_id, o.due, o.part
FROM outbox o JOIN messages m ON m.id = o.message
WHERE o.number = (SELECT min(number) FROM outbox WHERE state IN ('waiting', 'sending') AND destination = ?1)
    AND o.state = 'waiting'
