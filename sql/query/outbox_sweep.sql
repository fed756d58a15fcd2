-- outbox_sweep: ?1 state, ?2 ended before, ?3 most; no columns; outbox_store.c
DELETE FROM outbox WHERE number IN
    (SELECT number FROM outbox WHERE state = ?1 AND due < ?2 ORDER BY due, number LIMIT ?3)
