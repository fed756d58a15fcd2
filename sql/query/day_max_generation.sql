-- day_max_generation: ?1 site; the greatest generation; day_store.c
SELECT coalesce(max(generation), 0) FROM day_state WHERE site = ?1
