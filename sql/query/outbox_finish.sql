-- outbox_finish: ?1 id, ?2 state, ?3 reason, ?4 due, ?5 attempts, ?6 remote id or null; no columns; outbox_store.c
UPDATE outbox SET attempts = ?5, due = ?4, remote_id = coalesce(?6, remote_id),
    state = iif(?2 = 'waiting' AND (SELECT erased FROM messages WHERE id = message), 'skipped', ?2),
    reason = iif(?2 = 'waiting' AND (SELECT erased FROM messages WHERE id = message), 'erased', ?3)
WHERE id = ?1
