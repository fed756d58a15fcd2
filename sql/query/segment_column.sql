-- segment_column: ?1 key; body; segment_store.c
SELECT body FROM segment_columns WHERE key = ?1
