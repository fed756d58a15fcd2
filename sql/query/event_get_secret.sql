-- event_get_secret: ?1 key; value; event_store.c
SELECT value FROM secrets WHERE key = ?1
