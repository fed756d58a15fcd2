-- rollup_drop_empty: ?1 site, ?2 bucket; no columns; rollup_store.c
DELETE FROM rollup_totals WHERE site = ?1 AND bucket = ?2 AND events = 0
