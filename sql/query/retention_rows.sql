-- retention_rows: ?1 site, ?2 horizon, ?3 how many; no columns; retention.c
DELETE FROM events WHERE seq IN
    (SELECT seq FROM events WHERE site = ?1 AND ts < ?2 LIMIT ?3)
