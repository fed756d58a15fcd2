-- utm_values_add: ?1 day, ?2 site, ?3 field, ?4 hash; no columns; utm_cap_store.c
INSERT OR IGNORE INTO utm_values (day, site, field, hash) VALUES (?1, ?2, ?3, ?4)
