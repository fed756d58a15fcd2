-- outbox_next_due: no parameters; due; outbox_store.c
SELECT min(due) FROM outbox WHERE state = 'waiting'
