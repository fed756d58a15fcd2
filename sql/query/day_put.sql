-- day_put: ?1 site, ?2 dimension, ?3 day, ?4 body; no columns; day_store.c
INSERT OR REPLACE INTO rollup_days (site, dimension, day, body) VALUES (?1, ?2, ?3, ?4)
