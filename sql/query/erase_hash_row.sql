-- erase_hash_row: ?1 site, ?2 day, ?3 number; seq, salt; erase_find.c
-- Read once from end to end: the table has no index.
SELECT v.seq, v.salt FROM visitor_hashes v CROSS JOIN salts s ON s.number = v.salt
WHERE v.number = ?3 AND s.site = ?1 AND s.day = ?2
