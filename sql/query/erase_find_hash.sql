-- erase_find_hash: ?1 salt, ?2 hash; number; erase.c
SELECT number FROM visitor_hashes WHERE salt = ?1 AND hash = ?2
