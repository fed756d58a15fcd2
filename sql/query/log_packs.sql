-- log_packs: ?1 after; upto, body; log_rows.c
SELECT upto, body FROM event_packs WHERE upto > ?1 ORDER BY upto
