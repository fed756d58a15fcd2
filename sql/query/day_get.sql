-- day_get: ?1 site, ?2 day; generation, built generation; day_store.c
SELECT generation, built_generation FROM day_state WHERE site = ?1 AND day = ?2
