-- erase_salts: no parameters; number, site, day, salt, id of the site; erase_find.c
SELECT s.number, s.site, s.day, s.salt, t.id FROM salts s JOIN sites t ON t.number = s.site
ORDER BY s.number
