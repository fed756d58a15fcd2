-- event_expire_answers: ?1 time; no columns; event_store.c
DELETE FROM idempotency WHERE created < ?1
