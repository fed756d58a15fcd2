-- erase_site_salts: ?1 site; no columns; erase.c
DELETE FROM salts WHERE site = ?1
