-- retention_days: ?1 site, ?2 day, ?3 how many; no columns; retention.c
DELETE FROM rollup_days WHERE (day, site, dimension) IN
    (SELECT day, site, dimension FROM rollup_days WHERE day < ?2 AND site = ?1 LIMIT ?3)
