-- outbox_sweep_attempts: ?1 state, ?2 ended before, ?3 most; no columns; outbox_store.c
DELETE FROM attempts WHERE delivery IN
    (SELECT id FROM outbox WHERE state = ?1 AND due < ?2 ORDER BY due, number LIMIT ?3)
