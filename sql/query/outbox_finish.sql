-- outbox_finish: ?1 id, ?2 state, ?3 reason, ?4 due, ?5 attempts, ?6 remote id or null; no columns; outbox_store.c
UPDATE outbox SET attempts = ?5, tries = tries + 1, due = ?4, remote_id = coalesce(?6, remote_id),
    state = CASE WHEN ?2 <> 'waiting' THEN ?2
        WHEN (SELECT erased FROM messages WHERE id = message) THEN 'skipped'
        WHEN EXISTS (SELECT 1 FROM destination_state d
            WHERE d.destination = outbox.destination AND d.state = 'disabled') THEN 'held'
        ELSE ?2 END,
    reason = iif(?2 = 'waiting' AND (SELECT erased FROM messages WHERE id = message), 'erased', ?3)
WHERE id = ?1
