-- own_key_put: ?1 key, ?2 value; no columns; own_key.c
INSERT INTO secrets (key, value) VALUES (?1, ?2)
