-- visitor_drop_import: ?1 import, ?2 rows at most; no columns; visitor_store.c
DELETE FROM salts WHERE number IN (SELECT number FROM salts WHERE import = ?1 LIMIT ?2)
