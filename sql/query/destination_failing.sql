-- destination_failing: ?1 destination; failing since or null, failures; destination_store.c
SELECT failing_since, failures FROM destination_health WHERE destination = ?1
