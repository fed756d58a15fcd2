-- log_set_class: ?1 seq, ?2 bits, ?3 reason; no columns; log_store.c
UPDATE events SET bits = ?2, reason = ?3 WHERE seq = ?1
