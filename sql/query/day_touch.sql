-- day_touch: ?1 site, ?2 day, ?3 generation of a new row; no columns; day_store.c
INSERT INTO day_state (site, day, generation, built_generation, built) VALUES (?1, ?2, ?3, 0, 0)
ON CONFLICT (site, day) DO UPDATE SET generation = generation + 1
