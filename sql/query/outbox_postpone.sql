-- outbox_postpone: ?1 id, ?2 due; no columns; outbox_store.c
UPDATE outbox SET due = ?2 WHERE id = ?1 AND state = 'waiting'
