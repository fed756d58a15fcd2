-- rule_removed: no parameters; a rule that is known and no longer there; alert_store.c
SELECT rule FROM rule_ready WHERE rule NOT IN (SELECT number FROM objects WHERE kind = 0) LIMIT 1
