-- event_last_ids: ?1 first log number; id_hash, received, seq; event_store.c
SELECT id_hash, received, seq FROM events WHERE seq >= ?1
UNION ALL SELECT id_hash, received, seq FROM erased_ids WHERE seq >= ?1
ORDER BY seq
