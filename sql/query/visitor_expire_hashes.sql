-- visitor_expire_hashes: ?1 now; no columns; visitor_store.c
DELETE FROM visitor_hashes WHERE salt IN (SELECT number FROM salts WHERE expires <= ?1)
