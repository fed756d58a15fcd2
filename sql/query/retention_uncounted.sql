-- retention_uncounted: ?1 site, ?2 day, ?3 first day that is not frozen; days before ?2 that are not counted, or the site's zone is another; retention.c
SELECT (SELECT count(*) FROM day_state
        WHERE site = ?1 AND day < ?2 AND day >= ?3 AND generation != built_generation)
    + NOT EXISTS (SELECT 1 FROM day_zones z JOIN sites s ON s.number = z.site
        WHERE z.site = ?1 AND z.timezone = s.timezone)
