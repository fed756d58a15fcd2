-- erase_event_visitor: ?1 seq; site, ts, visitor_day, visitor; erase.c
SELECT site, ts, visitor_day, visitor FROM events WHERE seq = ?1
