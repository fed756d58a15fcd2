-- segment_changes: ?1 after, ?2 up to; seq, bits, reason; segment_store.c
SELECT seq, bits, reason FROM segment_changes WHERE seq > ?1 AND seq <= ?2 ORDER BY seq
