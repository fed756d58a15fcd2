-- rollup_bounds: ?1 site; first bucket, last bucket; rollup_store.c
SELECT min(bucket), max(bucket) FROM rollup_totals WHERE site = ?1
