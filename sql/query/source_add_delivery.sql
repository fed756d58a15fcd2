-- source_add_delivery: ?1 source, ?2 bucket; no columns; hook_cap_store.c
INSERT INTO source_deliveries (source, bucket, deliveries) VALUES (?1, ?2, 1)
ON CONFLICT (source, bucket) DO UPDATE SET deliveries = deliveries + 1
