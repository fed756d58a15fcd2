-- erase_site_alerts: ?1 site, ?2 before, ?3 most; no columns; erase.c
DELETE FROM alerts WHERE number IN (SELECT number FROM alerts
    WHERE site = ?1 AND fired < ?2 LIMIT ?3)
