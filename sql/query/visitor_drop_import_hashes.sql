-- visitor_drop_import_hashes: ?1 import; no columns; visitor_store.c
DELETE FROM visitor_hashes WHERE salt IN (SELECT number FROM salts WHERE import = ?1)
