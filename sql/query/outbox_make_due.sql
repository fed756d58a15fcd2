-- outbox_make_due: ?1 destination, ?2 now; no columns; destination_store.c
UPDATE outbox SET due = ?2 WHERE destination = ?1 AND state = 'waiting' AND due > ?2
