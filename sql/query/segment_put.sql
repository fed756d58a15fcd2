-- segment_put: ?1 after_seq, ?2 upto_seq, ?3 row_count, ?4 min_ts, ?5 max_ts, ?6 sites, ?7 directory; no columns; segment_store.c
INSERT INTO segments (state, after_seq, upto_seq, row_count, min_ts, max_ts, sites, directory)
VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6, ?7)
