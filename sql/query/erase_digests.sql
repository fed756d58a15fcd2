-- erase_digests: ?1 alert, ?2 summary; no columns; erase.c
UPDATE messages SET erased = 1,
    body = json_set(body, '$.data.alerts', json('[]'), '$.data.summary', ?2)
WHERE type = 'alert.digest' AND instr(body, '"alert":"' || ?1 || '"') > 0
