-- erase_site_coverage: ?1 site; no columns; erase.c
DELETE FROM coverage WHERE site = ?1
