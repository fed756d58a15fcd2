-- outbox_next_due: ?1 now, ?2 destination; due; outbox_store.c
SELECT min(due) FROM outbox WHERE state = 'waiting' AND destination = ?2 AND due > ?1
