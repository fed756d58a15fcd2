-- outbox_reset: no parameters; no columns; outbox_store.c
UPDATE outbox SET state = 'waiting' WHERE state = 'sending'
