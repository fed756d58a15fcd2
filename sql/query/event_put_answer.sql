-- event_put_answer: ?1 token, ?2 route, ?3 key, ?4 body_hash, ?5 status, ?6 answer, ?7 created; no columns; answer_store.c
INSERT OR REPLACE INTO idempotency (token, route, key, body_hash, status, answer, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
