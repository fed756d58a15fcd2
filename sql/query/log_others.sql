-- log_others: ?1 after, ?2 up to; seq, kind, received, data; log_store.c
SELECT seq, kind, received, data FROM entries WHERE seq > ?1 AND seq <= ?2 ORDER BY seq
