-- outbox_due: ?1 now, ?2 most, ?3 destination; id, message, destination, body, created, attempts, tries, queued, remote id, due, part; outbox_store.c
-- That an alert is over is told after the alert itself, or after the digest that it is in.
SELECT o.id, o.message || iif(o.part > 1, '_' || o.part, ''), o.destination, m.body, o.created, o.attempts, o.tries, o.queued, o.remote_id, o.due, o.part
FROM outbox o JOIN messages m ON m.id = o.message
WHERE o.state = 'waiting' AND o.destination = ?3 AND o.due <= ?1
    AND NOT (m.type = 'alert.resolved' AND EXISTS (SELECT 1 FROM outbox f
        LEFT JOIN outbox d ON f.reason = 'digested' AND d.message = f.remote_id AND d.destination = ?3
        WHERE f.message = substr(o.message, 1, 19) AND f.destination = ?3
            AND ifnull(d.state, f.state) IN ('waiting', 'sending', 'held')))
ORDER BY o.due, o.number LIMIT ?2
