-- event_get_answer: ?1 token, ?2 route, ?3 key, ?4 oldest time; body_hash, status, answer; answer_store.c
SELECT body_hash, status, answer FROM idempotency
WHERE token = ?1 AND route = ?2 AND key = ?3 AND created >= ?4
