-- alert_resolve: ?1 id, ?2 time; no columns; alert_store.c
UPDATE alerts SET resolved = ?2, state = CASE state WHEN 'firing' THEN 'resolved' ELSE state END
WHERE id = ?1 AND resolved IS NULL
