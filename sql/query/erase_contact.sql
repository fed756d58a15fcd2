-- erase_contact: ?1 seq; no columns; erase.c
DELETE FROM contacts WHERE seq = ?1
