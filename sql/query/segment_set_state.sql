-- segment_set_state: ?1 number, ?2 state; no columns; segment_store.c
UPDATE segments SET state = ?2 WHERE number = ?1
