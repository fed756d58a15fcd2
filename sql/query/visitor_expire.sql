-- visitor_expire: ?1 now, ?2 rows at most; no columns; visitor_store.c
DELETE FROM salts WHERE number IN (SELECT number FROM salts WHERE expires <= ?1 LIMIT ?2)
