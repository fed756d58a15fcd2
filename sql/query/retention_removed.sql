-- retention_removed: ?1 time; no columns; retention.c
UPDATE sites SET horizon = ?1
WHERE removed IS NOT NULL AND coalesce(horizon, -9000000000000000000) < ?1
