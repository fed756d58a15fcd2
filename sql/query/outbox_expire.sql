-- outbox_expire: ?1 destination, ?2 now, ?3 queued before; no columns; outbox_store.c
UPDATE outbox SET state = 'dead', reason = 'expired', due = ?2
WHERE destination = ?1 AND state IN ('waiting') AND max(created, queued) < ?3
    AND substr(message, 1, 3) != 'ev_'
