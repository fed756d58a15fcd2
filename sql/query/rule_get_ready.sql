-- rule_get_ready: ?1 rule; log number; alert_store.c
SELECT seq FROM rule_ready WHERE rule = ?1
