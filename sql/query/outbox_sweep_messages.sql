-- outbox_sweep_messages: ?1 state, ?2 ended before, ?3 most; no columns; outbox_store.c
DELETE FROM messages WHERE id IN
    (SELECT message FROM outbox WHERE state = ?1 AND due < ?2 ORDER BY due, number LIMIT ?3)
    AND NOT EXISTS (SELECT 1 FROM outbox o
        WHERE o.message = messages.id AND NOT (o.state = ?1 AND o.due < ?2))
