-- segment_drop_changes: ?1 after, ?2 up to; no columns; segment_store.c
DELETE FROM segment_changes WHERE seq > ?1 AND seq <= ?2
