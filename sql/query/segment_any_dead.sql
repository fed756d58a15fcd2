-- segment_any_dead: no parameters; number; segment_store.c
SELECT number FROM segments WHERE state = 2 LIMIT 1
