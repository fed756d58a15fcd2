-- erase_site_outbox: ?1 site, ?2 before, ?3 most; no columns; erase.c
DELETE FROM outbox WHERE number IN (SELECT o.number FROM outbox o
    JOIN messages m ON m.id = o.message WHERE m.site = ?1 AND m.created < ?2 LIMIT ?3)
