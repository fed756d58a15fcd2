-- retention_days: ?1 site, ?2 day, ?3 how many; no columns; retention.c
DELETE FROM rollup_days WHERE key IN
    (SELECT key FROM rollup_days WHERE key < ?2 << 37 AND site = ?1 LIMIT ?3)
