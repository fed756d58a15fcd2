-- retention_blocks: ?1 time; no columns; retention.c
DELETE FROM blocks WHERE max_ts < ?1
