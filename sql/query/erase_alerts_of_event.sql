-- erase_alerts_of_event: ?1 event id, ?2 site; id; erase.c
SELECT id FROM alerts WHERE event_id = ?1 AND site = ?2
