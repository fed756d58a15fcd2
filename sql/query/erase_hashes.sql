-- erase_hashes: no parameters; salt, hash, number; erase_find.c
SELECT salt, hash, number FROM visitor_hashes
