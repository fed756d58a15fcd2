-- visitor_drop_import: ?1 import; no columns; visitor_store.c
DELETE FROM salts WHERE import = ?1
