-- alerts_acknowledge: ?1 id, ?2 time, ?3 note; no columns; alerts_store.c
UPDATE alerts SET acked = coalesce(acked, ?2), note = coalesce(?3, note) WHERE id = ?1
