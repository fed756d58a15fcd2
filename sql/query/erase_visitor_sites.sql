-- erase_visitor_sites: ?1 day, ?2 number; sites whose period has that visitor number; erase.c
SELECT site FROM visitor_periods WHERE day = ?1 AND next_number > ?2
