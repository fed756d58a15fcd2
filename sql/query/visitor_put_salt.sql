-- visitor_put_salt: ?1 site, ?2 day, ?3 import, ?4 salt, ?5 expires; no columns; visitor_store.c
-- One of an ended import may still stand there: its hashes say nothing any more.
INSERT OR REPLACE INTO salts (site, day, import, salt, expires) VALUES (?1, ?2, ?3, ?4, ?5)
