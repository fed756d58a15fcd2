-- source_drop_deliveries: ?1 source, ?2 bucket before which they go; no columns; hook_cap_store.c
DELETE FROM source_deliveries WHERE source = ?1 AND bucket < ?2
