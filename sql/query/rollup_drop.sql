-- rollup_drop: ?1 site, ?2 first bucket, ?3 end; no columns; rollup_store.c
DELETE FROM rollup_totals WHERE site = ?1 AND bucket >= ?2 AND bucket < ?3
