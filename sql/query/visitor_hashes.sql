-- visitor_hashes: no parameters; salt, number, hash; visitor_store.c
SELECT salt, number, hash FROM visitor_hashes
