-- erase_visitor_hash: ?1 site, ?2 day, ?3 number; no columns; erase.c
DELETE FROM visitor_hashes
WHERE number = ?3 AND salt IN (SELECT number FROM salts WHERE site = ?1 AND day = ?2)
