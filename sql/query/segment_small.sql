-- segment_small: ?1 most rows; after_seq, upto_seq, row_count; segment_store.c
SELECT after_seq, upto_seq, row_count FROM segments WHERE state = 1 AND row_count <= ?1
ORDER BY after_seq
