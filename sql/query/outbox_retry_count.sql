-- outbox_retry_count: ?1 state, ?2 destination or null, ?3 since, ?4 until, ?5 now; count; outbox_store.c
SELECT count(*) FROM outbox o JOIN messages m ON m.id = o.message
WHERE o.state = ?1 AND (?1 <> 'skipped' OR o.reason = 'backlog') AND o.due < ?5 AND (?2 IS NULL OR o.destination = ?2)
    AND o.created >= ?3 AND o.created < ?4 AND NOT m.erased
