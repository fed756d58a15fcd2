-- catalog_objects: ?1 kind; number, id, body, managed_by, created; catalog.c
SELECT number, id, body, managed_by, created FROM objects WHERE kind = ?1 ORDER BY id
