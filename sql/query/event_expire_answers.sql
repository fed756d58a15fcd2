-- event_expire_answers: ?1 time; no columns; answer_store.c
DELETE FROM idempotency WHERE created < ?1
