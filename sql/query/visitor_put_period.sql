-- visitor_put_period: ?1 site, ?2 day, ?3 next number; no columns; visitor_store.c
INSERT INTO visitor_periods (site, day, next_number) VALUES (?1, ?2, ?3)
