-- log_packs: ?1 after; upto, count, body; log_rows.c
SELECT upto, count, body FROM event_packs WHERE upto > ?1 ORDER BY upto
