-- segment_aged: ?1 after number, ?2 latest horizon; number, after_seq, upto_seq, row_count, min_ts, max_ts; segment_store.c
SELECT number, after_seq, upto_seq, row_count, min_ts, max_ts FROM segments
WHERE state = 1 AND min_ts < ?2 AND number > ?1 ORDER BY number LIMIT 1
