-- log_insert_contact: ?1 seq, ?2 email, ?3 name, ?4 message, ?5 phone, ?6 email_hash, ?7 site, ?8 ts; no columns; log_store.c
INSERT INTO contacts (seq, email, name, message, phone, email_hash, site, ts)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
