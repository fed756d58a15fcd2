-- log_put_pack: ?1 upto, ?2 count, ?3 received, ?4 body; no columns; log_rows.c
INSERT INTO event_packs (upto, count, received, body) VALUES (?1, ?2, ?3, ?4)
