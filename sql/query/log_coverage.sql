-- log_coverage: ?1 up to; seq, kind, received, data; alert_store.c
SELECT seq, kind, received, data FROM entries WHERE kind = 8 AND seq <= ?1 ORDER BY seq DESC
