-- visitor_put_hash: ?1 salt, ?2 number, ?3 hash; no columns; visitor_store.c
INSERT INTO visitor_hashes (salt, number, hash) VALUES (?1, ?2, ?3)
