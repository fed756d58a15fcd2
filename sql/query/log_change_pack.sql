-- log_change_pack: ?1 upto, ?2 count, ?3 received, ?4 body; no columns; log_rows.c
UPDATE event_packs SET count = ?2, received = ?3, body = ?4 WHERE upto = ?1
