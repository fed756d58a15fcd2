-- erase_alerts_of_visitor: ?1 visitor as a group names it, ?2 site; id; erase.c
SELECT id FROM alerts WHERE visitor = ?1 AND site = ?2
