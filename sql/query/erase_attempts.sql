-- erase_attempts: ?1 alert; no columns; erase.c
UPDATE attempts SET excerpt = NULL, error = NULL
WHERE delivery IN (SELECT id FROM outbox WHERE message IN (?1, ?1 || '_resolved'))
