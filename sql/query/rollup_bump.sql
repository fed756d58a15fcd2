-- rollup_bump: ?1 site, ?2 bucket, ?3 traffic, ?4 to ?10 counts; no columns; rollup_store.c
UPDATE rollup_totals SET
    events = events + ?4, views = views + ?5, clicks_raw = clicks_raw + ?6,
    clicks = clicks + ?7, leads = leads + ?8, conversions = conversions + ?9,
    orphan_clicks = orphan_clicks + ?10
WHERE site = ?1 AND bucket = ?2 AND traffic = ?3
