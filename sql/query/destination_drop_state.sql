-- destination_drop_state: ?1 destination; no columns; destination_store.c
DELETE FROM destination_state WHERE destination = ?1
