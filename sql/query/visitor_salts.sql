-- visitor_salts: no parameters; number, site, day, import, salt, expires; visitor_store.c
SELECT number, site, day, import, salt, expires FROM salts
