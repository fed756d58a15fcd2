-- outbox_retry_many: ?1 state, ?2 destination or null, ?3 since, ?4 until, ?5 now, ?6 most; no columns; outbox_store.c
UPDATE outbox SET attempts = 0, due = ?5, queued = ?5, reason = NULL,
    remote_id = iif(state = 'delivered', NULL, remote_id),
    state = iif(EXISTS (SELECT 1 FROM destination_state d
        WHERE d.destination = outbox.destination AND d.state = 'disabled'), 'held', 'waiting')
WHERE number IN (SELECT o.number FROM outbox o JOIN messages m ON m.id = o.message
    WHERE o.state = ?1 AND (?1 <> 'skipped' OR o.reason = 'backlog') AND o.due < ?5 AND (?2 IS NULL OR o.destination = ?2)
        AND o.created >= ?3 AND o.created < ?4 AND NOT m.erased
    ORDER BY o.number LIMIT ?6)
