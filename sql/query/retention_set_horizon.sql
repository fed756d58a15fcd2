-- retention_set_horizon: ?1 site, ?2 horizon; no columns; retention.c
UPDATE sites SET horizon = ?2 WHERE number = ?1
