-- merge_skip: ?1 destination, ?2 until, ?3 digest, ?4 now; no columns; merge_store.c
UPDATE outbox SET state = 'skipped', reason = 'digested', due = ?4, remote_id = ?3 WHERE number IN
    (SELECT o.number FROM outbox o JOIN messages m ON m.id = o.message
    WHERE o.destination = ?1 AND o.state = 'waiting' AND o.due <= ?2 AND o.part = 1
    AND m.type = 'alert.fired' AND NOT m.erased ORDER BY o.due, o.number LIMIT 100)
