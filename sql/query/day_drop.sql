-- day_drop: ?1 site, ?2 dimension, ?3 day; no columns; day_store.c
DELETE FROM rollup_days WHERE site = ?1 AND dimension = ?2 AND day = ?3
