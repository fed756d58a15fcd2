-- catalog_remove_object: ?1 kind, ?2 id; no columns; catalog_change.c
DELETE FROM objects WHERE kind = ?1 AND id = ?2
