-- outbox_put_sending: ?1 id, ?2 message, ?3 destination, ?4 created; no columns; outbox_store.c
INSERT INTO outbox (id, message, destination, state, created, due, attempts)
VALUES (?1, ?2, ?3, 'sending', ?4, ?4, 0)
