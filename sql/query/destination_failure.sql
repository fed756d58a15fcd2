-- destination_failure: ?1 destination, ?2 now; no columns; destination_store.c
INSERT INTO destination_health (destination, last_success, failing_since, failures) VALUES (?1, NULL, ?2, 1)
ON CONFLICT DO UPDATE SET failing_since = coalesce(failing_since, ?2), failures = failures + 1
