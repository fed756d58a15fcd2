-- alert_put_message: ?1 id, ?2 type, ?3 rule, ?4 site, ?5 body, ?6 created; no columns; alert_store.c
INSERT OR IGNORE INTO messages (id, type, rule, site, body, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
