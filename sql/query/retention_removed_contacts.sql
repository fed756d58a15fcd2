-- retention_removed_contacts: ?1 time, ?2 how many; no columns; retention.c
DELETE FROM contacts WHERE seq IN (SELECT c.seq FROM contacts c
    JOIN sites s ON s.number = c.site
    WHERE s.removed IS NOT NULL AND c.ts < ?1 LIMIT ?2)
