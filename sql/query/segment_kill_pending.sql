-- segment_kill_pending: no parameters; no columns; segment_store.c
UPDATE segments SET state = 2 WHERE state = 0
