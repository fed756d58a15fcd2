-- erase_contacts: ?1 hash of an address; seq; erase.c
SELECT seq FROM contacts WHERE email_hash = ?1
