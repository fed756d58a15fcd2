-- catalog_use_token: ?1 id, ?2 time; no columns; catalog_change.c
UPDATE tokens SET last_used = ?2 WHERE id = ?1
