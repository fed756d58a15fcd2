-- alert_put_delivery: ?1 id, ?2 message, ?3 destination, ?4 created; no columns; alert_store.c
-- A destination at which max_waiting messages wait gets no more alerts; what belongs to one that
-- it has got (its resolution), digests and batches of a stream it does.
INSERT OR IGNORE INTO outbox (id, message, destination, state, reason, created, due, attempts)
SELECT ?1, ?2, ?3, CASE WHEN is_full THEN 'skipped' WHEN EXISTS (SELECT 1 FROM destination_state
        WHERE destination = ?3 AND state = 'disabled') THEN 'held' ELSE 'waiting' END,
    iif(is_full, 'backlog', NULL), ?4, ?4, 0
FROM (SELECT ?2 GLOB 'al_*' AND ?2 NOT GLOB '*_resolved' AND EXISTS (SELECT 1 FROM outbox_backlog
    WHERE destination = ?3 AND waiting >= ifnull((SELECT CAST(json_extract(body, '$.max_waiting') AS INTEGER)
        FROM objects WHERE kind = 1 AND id = ?3), 100000)) AS is_full)
