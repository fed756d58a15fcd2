-- stream_get: ?1 destination; planned_seq, whether its last batch has no end yet; stream_store.c
SELECT s.planned_seq, EXISTS (SELECT 1 FROM outbox o WHERE o.message = s.batch
    AND o.destination = s.destination AND o.state IN ('waiting', 'sending', 'held'))
FROM stream_state s WHERE s.destination = ?1
