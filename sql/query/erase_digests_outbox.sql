-- erase_digests_outbox: ?1 alert; no columns; erase.c
UPDATE outbox SET remote_id = NULL,
    reason = iif(state IN ('waiting', 'held'), 'erased', reason),
    state = iif(state IN ('waiting', 'held'), 'skipped', state)
WHERE message IN (SELECT id FROM messages
    WHERE type = 'alert.digest' AND instr(body, '"alert":"' || ?1 || '"') > 0)
