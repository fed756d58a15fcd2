-- erase_site_messages: ?1 site, ?2 before, ?3 most; no columns; erase.c
-- A digest of several sites goes as well, if this one is in it.
DELETE FROM messages WHERE id IN (SELECT m.id FROM messages m
    WHERE (m.site = ?1 OR (m.site = '' AND m.type = 'alert.digest'
        AND instr(m.body, '"site":"' || ?1 || '"') > 0))
        AND m.created < ?2 LIMIT ?3)
