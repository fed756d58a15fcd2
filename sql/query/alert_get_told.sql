-- alert_get_told: ?1 id; data, fired, held_back, whether a message of its own went out; alert_store.c
SELECT data, fired, held_back, EXISTS (SELECT 1 FROM messages WHERE id = ?1)
FROM alerts WHERE id = ?1
