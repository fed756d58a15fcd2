-- outbox_sending: ?1 id, ?2 tries; no columns; outbox_store.c
UPDATE outbox SET state = 'sending' WHERE id = ?1 AND state = 'waiting' AND tries = ?2
