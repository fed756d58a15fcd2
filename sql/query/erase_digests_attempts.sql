-- erase_digests_attempts: ?1 alert; no columns; erase.c
UPDATE attempts SET excerpt = NULL, error = NULL
WHERE delivery IN (SELECT o.id FROM messages m JOIN outbox o ON o.message = m.id
    WHERE m.type = 'alert.digest' AND instr(m.body, '"alert":"' || ?1 || '"') > 0)
