-- outbox_discard: ?1 destination, ?2 now; no columns; destination_store.c
UPDATE outbox SET state = 'dead', reason = 'discarded', due = ?2 WHERE destination = ?1 AND state = 'held'
