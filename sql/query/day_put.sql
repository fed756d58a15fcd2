-- day_put: ?1 site, ?2 dimension, ?3 day, ?4 body; no columns; day_store.c
INSERT OR REPLACE INTO rollup_days (key, body) VALUES ((?3 << 32 | ?1) << 5 | ?2, ?4)
