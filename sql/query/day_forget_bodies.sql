-- day_forget_bodies: ?1 site; no columns; day_store.c
DELETE FROM rollup_days WHERE site = ?1
