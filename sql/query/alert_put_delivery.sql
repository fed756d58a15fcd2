-- alert_put_delivery: ?1 id, ?2 message, ?3 destination, ?4 created; no columns; alert_store.c
INSERT OR IGNORE INTO outbox (id, message, destination, state, created, due, attempts)
VALUES (?1, ?2, ?3, iif(EXISTS (SELECT 1 FROM destination_state
    WHERE destination = ?3 AND state = 'disabled'), 'held', 'waiting'), ?4, ?4, 0)
