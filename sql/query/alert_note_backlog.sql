-- alert_note_backlog: ?1 alert; no columns; alert_store.c
-- It was meant for some, and nobody was told of it.
UPDATE alerts SET state = 'held', held_back = 'backlog'
WHERE id = ?1 AND state = 'firing' AND EXISTS (SELECT 1 FROM outbox WHERE message = ?1)
    AND NOT EXISTS (SELECT 1 FROM outbox WHERE message = ?1 AND reason IS NOT 'backlog')
