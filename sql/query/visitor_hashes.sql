-- visitor_hashes: ?1 salt; number, hash; visitor_store.c
SELECT number, hash FROM visitor_hashes WHERE salt = ?1
