-- refused_add: ?1 site, ?2 hour, ?3 code, ?4 count; no columns; refused_store.c
INSERT INTO refused (site, hour, code, count) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (site, hour, code) DO UPDATE SET count = count + excluded.count
