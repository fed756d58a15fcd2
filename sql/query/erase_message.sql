-- erase_message: ?1 alert, ?2 summary; no columns; erase.c
UPDATE messages SET erased = 1,
    body = CASE WHEN json_extract(body, '$.data.group.visitor') IS NULL
    THEN json_set(body, '$.data.event', NULL, '$.data.summary', ?2)
    ELSE json_set(body, '$.data.event', NULL, '$.data.summary', ?2, '$.data.group', NULL) END
WHERE id IN (?1, ?1 || '_resolved')
