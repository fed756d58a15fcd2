-- erase_outbox: ?1 alert; no columns; erase.c
UPDATE outbox SET remote_id = NULL,
    reason = iif(state IN ('waiting', 'held'), 'erased', reason),
    state = iif(state IN ('waiting', 'held'), 'skipped', state)
WHERE message IN (?1, ?1 || '_resolved')
