-- erase_site_refused: ?1 site; no columns; erase.c
DELETE FROM refused WHERE site = ?1
