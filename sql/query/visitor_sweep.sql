-- visitor_sweep: ?1 and ?2 bounds of seq, the second one included; no columns; visitor_store.c
DELETE FROM visitor_hashes WHERE seq > ?1 AND seq <= ?2
    AND NOT EXISTS (SELECT 1 FROM salts WHERE salts.number = visitor_hashes.salt)
