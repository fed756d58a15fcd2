-- visitor_get_period: ?1 site, ?2 day; next_number; visitor_store.c
SELECT next_number FROM visitor_periods WHERE site = ?1 AND day = ?2
