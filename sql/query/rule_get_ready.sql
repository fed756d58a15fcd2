-- rule_get_ready: ?1 rule; rule; alert_store.c
SELECT rule FROM rule_ready WHERE rule = ?1
