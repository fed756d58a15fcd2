-- coverage_put: ?1 site, ?2 first bucket, ?3 last, ?4 state; no columns; coverage_store.c
INSERT INTO coverage (site, bucket, state)
WITH RECURSIVE span (bucket) AS (
    VALUES (?2) UNION ALL SELECT bucket + 1 FROM span WHERE bucket < ?3)
SELECT ?1, bucket, ?4 FROM span WHERE true
ON CONFLICT (site, bucket) DO UPDATE SET state = max(state, excluded.state)
