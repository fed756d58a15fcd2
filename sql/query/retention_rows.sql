-- retention_rows: ?1 how many; no columns; retention.c
DELETE FROM events WHERE seq IN (SELECT e.seq FROM events e
    JOIN sites s ON s.number = e.site WHERE e.ts < s.horizon LIMIT ?1)
