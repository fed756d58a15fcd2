-- segment_drop: ?1 number; no columns; segment_store.c
DELETE FROM segments WHERE number = ?1
