-- backlog_news: ?1 now; destination, most, whether its owner was told; outbox_store.c
-- Whose owner does not know that it is full, and what has had half its room again for an hour
-- since he heard.
SELECT destination, most, told > 0 FROM (SELECT b.destination, b.waiting, b.told, b.left_out > b.settled AS is_full,
        ifnull(CAST(json_extract(o.body, '$.max_waiting') AS INTEGER), 100000) AS most
    FROM outbox_backlog b JOIN objects o ON o.kind = 1 AND o.id = b.destination)
WHERE (told = 0 AND is_full) OR (told > 0 AND told < ?1 - 3600000 AND waiting <= most / 2)
LIMIT 1
