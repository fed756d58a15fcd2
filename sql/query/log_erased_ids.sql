-- log_erased_ids: ?1 after, ?2 up to; id_hash, received, seq; log_ids.c
SELECT id_hash, received, seq FROM erased_ids WHERE seq > ?1 AND seq <= ?2 ORDER BY seq
