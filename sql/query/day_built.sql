-- day_built: no parameters; site, day; day_store.c
SELECT site, day FROM day_state WHERE generation = built_generation ORDER BY day, site
