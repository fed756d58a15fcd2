-- outbox_sending: ?1 id, ?2 attempts; no columns; outbox_store.c
UPDATE outbox SET state = 'sending' WHERE id = ?1 AND state = 'waiting' AND attempts = ?2
