-- erase_visitor_hash: ?1 seq, ?2 salt, ?3 number; no columns; erase.c
DELETE FROM visitor_hashes WHERE seq = ?1 AND salt = ?2 AND number = ?3
