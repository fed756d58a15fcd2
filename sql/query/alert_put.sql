-- alert_put: ?1 id, ?2 rule, ?3 site, ?4 severity, ?5 fired, ?6 state, ?7 held_back, ?8 data; no columns; alert_store.c
INSERT OR IGNORE INTO alerts (id, rule, site, severity, fired, state, held_back, data,
    event_id, visitor)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
    json_extract(?8, '$.event.id'), json_extract(?8, '$.group.visitor'))
