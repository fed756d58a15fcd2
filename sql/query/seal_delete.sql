-- seal_delete: ?1 sealed up to, ?2 how many; no columns; seal.c
DELETE FROM events WHERE seq IN
    (SELECT seq FROM events WHERE seq <= ?1 ORDER BY seq LIMIT ?2)
