-- stream_put: ?1 destination, ?2 planned_seq, ?3 batch (NULL: as it was); no columns; stream_store.c
INSERT INTO stream_state (destination, planned_seq, batch) VALUES (?1, ?2, ?3)
ON CONFLICT (destination) DO UPDATE SET planned_seq = excluded.planned_seq,
    batch = coalesce(excluded.batch, batch), told = iif(excluded.batch IS NULL, told, 0)
