-- catalog_revoke_token: ?1 id, ?2 time; no columns; catalog_change.c
UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL
