-- rollup_add: ?1 site, ?2 bucket, ?3 traffic, ?4 to ?10 counts; no columns; rollup_store.c
INSERT INTO rollup_totals (site, bucket, traffic, events, views, clicks_raw, clicks, leads,
    conversions, orphan_clicks)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
