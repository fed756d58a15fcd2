-- retention_contacts: ?1 site, ?2 horizon, ?3 how many; no columns; retention.c
DELETE FROM contacts WHERE seq IN
    (SELECT seq FROM contacts WHERE site = ?1 AND ts < ?2 LIMIT ?3)
