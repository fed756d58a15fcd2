-- erase_site_values: ?1 site; no columns; erase.c
DELETE FROM utm_values WHERE site = ?1
