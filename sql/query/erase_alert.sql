-- erase_alert: ?1 id, ?2 summary; no columns; erase.c
UPDATE alerts SET event_id = NULL, visitor = NULL, note = NULL, data = CASE WHEN json_extract(data, '$.group.visitor') IS NULL
    THEN json_set(data, '$.event', NULL, '$.summary', ?2)
    ELSE json_set(data, '$.event', NULL, '$.summary', ?2, '$.group', NULL) END
WHERE id = ?1
