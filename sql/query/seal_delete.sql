-- seal_delete: ?1 up to which event, ?2 how many packs; no columns; seal_rows.c
DELETE FROM event_packs WHERE upto <= (SELECT max(upto) FROM
    (SELECT upto FROM event_packs WHERE upto <= ?1 ORDER BY upto LIMIT ?2))
