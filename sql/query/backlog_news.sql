-- backlog_news: no parameters; destination, waiting, most, whether its owner was told; outbox_store.c
-- Whose owner does not know yet that it is full, and what has half its room again.
SELECT * FROM (SELECT b.destination, b.waiting, ifnull(CAST(json_extract(o.body, '$.max_waiting') AS INTEGER), 100000) AS most,
        b.told, b.left_out > b.settled AS is_full
    FROM outbox_backlog b JOIN objects o ON o.kind = 1 AND o.id = b.destination)
WHERE (told = 0 AND is_full) OR (told = 1 AND waiting <= most / 2)
LIMIT 1
