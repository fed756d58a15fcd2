-- log_blocks: ?1 first block, ?2 last block, ?3 from, ?4 to, ?5 set of sites; block; log_store.c
SELECT block FROM blocks
WHERE block BETWEEN ?1 AND ?2 AND max_ts >= ?3 AND min_ts < ?4 AND sites & ?5 != 0
ORDER BY block
