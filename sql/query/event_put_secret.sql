-- event_put_secret: ?1 key, ?2 value; no columns; event_store.c
INSERT INTO secrets (key, value) VALUES (?1, ?2)
