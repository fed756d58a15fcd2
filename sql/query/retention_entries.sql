-- retention_entries: ?1 time, ?2 cursor, ?3 how many; no columns; retention.c
DELETE FROM entries WHERE seq IN
    (SELECT seq FROM entries WHERE received < ?1 AND seq <= ?2 LIMIT ?3)
