-- rollup_read: ?1 site, ?2 first bucket, ?3 end; bucket, traffic, counts; rollup_store.c
SELECT bucket, traffic, events, views, clicks_raw, clicks, leads, conversions,
    orphan_clicks
FROM rollup_totals WHERE site = ?1 AND bucket >= ?2 AND bucket < ?3 ORDER BY bucket, traffic
