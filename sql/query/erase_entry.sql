-- erase_entry: ?1 seq; no columns; erase.c
DELETE FROM entries WHERE seq = ?1
