-- segment_put_column: ?1 key, ?2 body; no columns; segment_store.c
INSERT INTO segment_columns (key, body) VALUES (?1, ?2)
