-- erase_event: ?1 seq; no columns; erase.c
DELETE FROM events WHERE seq = ?1
