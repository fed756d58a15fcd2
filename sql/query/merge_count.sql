-- merge_count: ?1 destination, ?2 until; how many alerts are due there, up to 101; merge_store.c
SELECT count(*) FROM (SELECT 1 FROM outbox o JOIN messages m ON m.id = o.message
WHERE o.destination = ?1 AND o.state = 'waiting' AND o.due <= ?2 AND o.part = 1
    AND m.type = 'alert.fired' AND NOT m.erased LIMIT 101)
