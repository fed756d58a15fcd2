-- erase_site_hashes: ?1 site; no columns; erase.c
DELETE FROM visitor_hashes WHERE salt IN (SELECT number FROM salts WHERE site = ?1)
