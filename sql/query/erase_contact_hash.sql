-- erase_contact_hash: ?1 seq; email_hash; erase.c
SELECT email_hash FROM contacts WHERE seq = ?1
