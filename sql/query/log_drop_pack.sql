-- log_drop_pack: ?1 upto; no columns; log_rows.c
DELETE FROM event_packs WHERE upto = ?1
