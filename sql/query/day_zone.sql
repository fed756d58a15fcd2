-- day_zone: ?1 site; timezone; day_store.c
SELECT timezone FROM day_zones WHERE site = ?1
