-- destination_success: ?1 destination, ?2 now; no columns; destination_store.c
INSERT INTO destination_health (destination, last_success, failing_since, failures) VALUES (?1, ?2, NULL, 0)
ON CONFLICT DO UPDATE SET last_success = ?2, failing_since = NULL, failures = 0
