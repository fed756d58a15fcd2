-- segment_find: ?1 after, ?2 up to, ?3 from, ?4 to, ?5 set of sites; number, after_seq, upto_seq, row_count, min_ts, max_ts; segment_store.c
SELECT number, after_seq, upto_seq, row_count, min_ts, max_ts FROM segments
WHERE state = 1 AND upto_seq > ?1 AND after_seq < ?2 AND max_ts >= ?3 AND min_ts < ?4
    AND sites & ?5 != 0
ORDER BY after_seq
