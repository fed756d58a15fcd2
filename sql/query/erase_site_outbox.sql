-- erase_site_outbox: ?1 site, ?2 before, ?3 most; no columns; erase.c
DELETE FROM outbox WHERE number IN (SELECT o.number FROM outbox o
    JOIN messages m ON m.id = o.message WHERE (m.site = ?1 OR (m.site = '' AND m.type = 'alert.digest'
        AND instr(m.body, '"site":"' || ?1 || '"') > 0)) AND m.created < ?2 LIMIT ?3)
