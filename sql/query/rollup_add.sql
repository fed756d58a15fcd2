-- rollup_add: ?1 site, ?2 bucket, ?3 traffic, ?4 to ?10 counts; no columns; rollup_store.c
INSERT INTO rollup_totals (site, bucket, traffic, events, views, clicks_raw, clicks, leads,
    conversions, orphan_clicks)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
ON CONFLICT (site, bucket, traffic) DO UPDATE SET
    events = events + excluded.events, views = views + excluded.views,
    clicks_raw = clicks_raw + excluded.clicks_raw, clicks = clicks + excluded.clicks,
    leads = leads + excluded.leads, conversions = conversions + excluded.conversions,
    orphan_clicks = orphan_clicks + excluded.orphan_clicks
