-- day_stale: no parameters; site, day, generation, built; day_store.c
SELECT site, day, generation, built FROM day_state WHERE generation != built_generation
ORDER BY day, site
