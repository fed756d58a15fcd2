-- day_set_built: ?1 site, ?2 day, ?3 built generation, ?4 now; no columns; day_store.c
UPDATE day_state SET built_generation = ?3, built = ?4 WHERE site = ?1 AND day = ?2
