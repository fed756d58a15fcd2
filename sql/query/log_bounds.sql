-- log_bounds: ?1 set of sites; least ts, greatest ts; log_store.c
SELECT min(min_ts), max(max_ts) FROM blocks WHERE sites & ?1 != 0
