-- own_key_get: ?1 key; value; own_key.c
SELECT value FROM secrets WHERE key = ?1
