-- retention_entries: ?1 time, ?2 cursor, ?3 how many are looked at; no columns; retention.c
DELETE FROM entries WHERE seq IN
    (SELECT seq FROM (SELECT seq, received FROM entries ORDER BY seq LIMIT ?3)
        WHERE received < ?1 AND seq <= ?2)
