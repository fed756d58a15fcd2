-- log_touch: ?1 count of changes, ?2 seq; no columns; log_change.c
INSERT INTO log_touched (count, seq) VALUES (?1, ?2)
