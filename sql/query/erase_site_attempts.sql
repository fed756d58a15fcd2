-- erase_site_attempts: ?1 site, ?2 before, ?3 most; no columns; erase.c
DELETE FROM attempts WHERE delivery IN (SELECT o.id FROM outbox o
    JOIN messages m ON m.id = o.message JOIN attempts a ON a.delivery = o.id
    WHERE (m.site = ?1 OR (m.site = '' AND m.type = 'alert.digest'
        AND instr(m.body, '"site":"' || ?1 || '"') > 0)) AND m.created < ?2 LIMIT ?3)
