-- merge_each: ?1 destination, ?2 until; message, site, body, created of the first 100; merge_store.c
SELECT o.message, m.site, m.body, m.created FROM outbox o JOIN messages m ON m.id = o.message
WHERE o.destination = ?1 AND o.state = 'waiting' AND o.due <= ?2 AND o.part = 1
    AND m.type = 'alert.fired' AND NOT m.erased ORDER BY o.due, o.number LIMIT 100
