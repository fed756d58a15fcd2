-- outbox_skip: ?1 id, ?2 reason, ?3 now; no columns; outbox_store.c
UPDATE outbox SET state = 'skipped', reason = ?2, due = ?3 WHERE id = ?1
