-- outbox_put_part: ?1 delivery of part 1, ?2 delivery, ?3 part, ?4 now; no columns; outbox_store.c
INSERT OR IGNORE INTO outbox (id, message, destination, part, state, created, due, attempts)
SELECT ?2, o.message, o.destination, ?3, iif(EXISTS (SELECT 1 FROM destination_state d
    WHERE d.destination = o.destination AND d.state = 'disabled'), 'held', 'waiting'), o.created, ?4, 0
FROM outbox o WHERE o.id = ?1
