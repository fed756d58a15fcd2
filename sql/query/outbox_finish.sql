-- outbox_finish: ?1 id, ?2 state, ?3 reason, ?4 due, ?5 attempts; no columns; outbox_store.c
UPDATE outbox SET state = ?2, reason = ?3, due = ?4, attempts = ?5 WHERE id = ?1
