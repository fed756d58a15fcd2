-- visitor_move_period: ?1 site, ?2 day, ?3 next number; no columns; visitor_store.c
UPDATE visitor_periods SET next_number = ?3 WHERE site = ?1 AND day = ?2
