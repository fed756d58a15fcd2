-- catalog_put_object: ?1 kind, ?2 id, ?3 body, ?4 managed_by, ?5 created; no columns; catalog_change.c
INSERT INTO objects (kind, id, body, managed_by, created) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body, managed_by = excluded.managed_by
