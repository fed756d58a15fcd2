-- source_put_cap: ?1 source, ?2 until, ?3 told; no columns; hook_cap_store.c
INSERT INTO source_caps (source, until, told) VALUES (?1, ?2, ?3)
ON CONFLICT (source) DO UPDATE SET until = excluded.until, told = excluded.told
