-- day_forget_bodies: ?1 site, ?2 first day; no columns; day_store.c
DELETE FROM rollup_days WHERE key >= ?2 << 37 AND site = ?1
