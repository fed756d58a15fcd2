-- day_drop: ?1 site, ?2 dimension, ?3 day; no columns; day_store.c
DELETE FROM rollup_days WHERE key = ((?3 << 32 | ?1) << 5 | ?2)
