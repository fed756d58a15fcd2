-- outbox_retry: ?1 id, ?2 now; no columns; outbox_store.c
UPDATE outbox SET attempts = 0, due = ?2, queued = ?2, reason = NULL,
    remote_id = iif(state = 'delivered', NULL, remote_id),
    state = iif(EXISTS (SELECT 1 FROM destination_state d
        WHERE d.destination = outbox.destination AND d.state = 'disabled'), 'held', 'waiting')
WHERE id = ?1
