-- import_ids: ?1 after, ?2 up to; id_hash; import_store.c
SELECT id_hash FROM events WHERE seq > ?1 AND seq <= ?2
UNION ALL SELECT id_hash FROM erased_ids WHERE seq > ?1 AND seq <= ?2
