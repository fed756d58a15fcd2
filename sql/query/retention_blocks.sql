-- retention_blocks: ?1 first block that is not sealed; no columns; retention.c
DELETE FROM blocks WHERE block < ?1 AND max_ts <
    (SELECT min(coalesce(horizon, -9000000000000000000)) FROM sites)
