-- erase_site_messages: ?1 site, ?2 before, ?3 most; no columns; erase.c
DELETE FROM messages WHERE id IN (SELECT id FROM messages
    WHERE site = ?1 AND created < ?2 LIMIT ?3)
