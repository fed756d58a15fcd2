-- meta_get: ?1 key; columns value; db.c
SELECT value FROM meta WHERE key = ?1
