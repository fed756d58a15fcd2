-- backlog_told: ?1 destination, ?2 when its owner heard, or 0: it has room again; no columns; outbox_store.c
UPDATE outbox_backlog SET told = ?2, settled = iif(?2 = 0, left_out, settled) WHERE destination = ?1
