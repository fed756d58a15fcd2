-- coverage_read: ?1 site, ?2 first bucket, ?3 end; bucket, state; coverage_store.c
SELECT bucket, state FROM coverage WHERE site = ?1 AND bucket >= ?2 AND bucket < ?3
ORDER BY bucket
