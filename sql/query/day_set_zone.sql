-- day_set_zone: ?1 site, ?2 timezone; no columns; day_store.c
INSERT OR REPLACE INTO day_zones (site, timezone) VALUES (?1, ?2)
