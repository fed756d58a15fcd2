-- import_ids: ?1 after, ?2 up to, ?3 site or 0; id_hash; import_store.c
SELECT id_hash FROM events WHERE seq > ?1 AND seq <= ?2 AND (?3 = 0 OR site = ?3)
UNION ALL SELECT id_hash FROM erased_ids WHERE seq > ?1 AND seq <= ?2
