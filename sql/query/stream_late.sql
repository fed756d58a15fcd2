-- stream_late: ?1 made before; destination whose open batch is so old, and of which nothing was said; retention.c
SELECT s.destination FROM stream_state s JOIN outbox o ON o.message = s.batch AND o.destination = s.destination
WHERE s.told = 0 AND o.state IN ('waiting', 'sending', 'held') AND o.created < ?1 LIMIT 1
