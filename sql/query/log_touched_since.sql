-- log_touched_since: ?1 count of changes, ?2 after, ?3 up to; whether one of these events changed; log_change.c
SELECT EXISTS (SELECT 1 FROM log_touched WHERE count > ?1 AND seq > ?2 AND seq <= ?3)
