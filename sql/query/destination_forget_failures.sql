-- destination_forget_failures: ?1 destination; no columns; destination_store.c
UPDATE destination_health SET failing_since = NULL, failures = 0 WHERE destination = ?1
