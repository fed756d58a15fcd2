-- retention_totals: ?1 site, ?2 bucket, ?3 how many; no columns; retention.c
DELETE FROM rollup_totals WHERE site = ?1 AND bucket IN
    (SELECT bucket FROM rollup_totals WHERE site = ?1 AND bucket < ?2 LIMIT ?3)
