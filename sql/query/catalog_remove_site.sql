-- catalog_remove_site: ?1 number, ?2 time; no columns; catalog_change.c
UPDATE sites SET removed = ?2 WHERE number = ?1 AND removed IS NULL
