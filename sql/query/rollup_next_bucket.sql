-- rollup_next_bucket: ?1 site, ?2 bucket; the first bucket from there on; day_store.c
SELECT min(bucket) FROM rollup_totals WHERE site = ?1 AND bucket >= ?2
