-- log_insert_other: ?1 seq, ?2 kind, ?3 received, ?4 data; no columns; cursor.c
INSERT INTO entries (seq, kind, received, data) VALUES (?1, ?2, ?3, ?4)
