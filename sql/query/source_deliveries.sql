-- source_deliveries: ?1 source, ?2 first bucket; bucket, deliveries; hook_cap_store.c
SELECT bucket, deliveries FROM source_deliveries WHERE source = ?1 AND bucket >= ?2
ORDER BY bucket
