-- outbox_skip_resolved: ?1 alert; no columns; alert_store.c
UPDATE outbox SET state = 'skipped', reason = 'fired_never_delivered'
WHERE message = ?1 || '_resolved' AND state IN ('waiting', 'held') AND EXISTS (SELECT 1 FROM outbox f
    WHERE f.message = ?1 AND f.destination = outbox.destination AND f.state IN ('dead', 'skipped')
        AND f.reason IS NOT 'digested')
