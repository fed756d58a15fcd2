-- rule_set_ready: ?1 rule, ?2 log number; no columns; alert_store.c
INSERT OR REPLACE INTO rule_ready (rule, seq) VALUES (?1, ?2)
