-- visitor_expire: ?1 now; no columns; visitor_store.c
DELETE FROM salts WHERE expires <= ?1
