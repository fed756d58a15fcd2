-- rule_forget: ?1 rule; no columns; alert_store.c
DELETE FROM rule_ready WHERE rule = ?1
