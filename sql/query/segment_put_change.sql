-- segment_put_change: ?1 seq, ?2 bits, ?3 reason; no columns; log_store.c
INSERT OR REPLACE INTO segment_changes (seq, bits, reason) VALUES (?1, ?2, ?3)
