-- segment_kill: ?1 after, ?2 up to; no columns; segment_store.c
UPDATE segments SET state = 2 WHERE state = 1 AND after_seq >= ?1 AND upto_seq <= ?2
