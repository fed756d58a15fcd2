-- outbox_hold: ?1 destination; no columns; destination_store.c
UPDATE outbox SET state = 'held' WHERE destination = ?1 AND state = 'waiting'
