-- log_contact: ?1 seq; email, name, message, phone; log_store.c
SELECT email, name, message, phone FROM contacts WHERE seq = ?1
