-- catalog_put_site: ?1 id, ?2 timezone, ?3 hosts, ?4 settings, ?5 managed_by, ?6 created; number; catalog_change.c
INSERT INTO sites (id, timezone, hosts, settings, managed_by, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (id) WHERE removed IS NULL DO UPDATE SET timezone = excluded.timezone,
    hosts = excluded.hosts, settings = excluded.settings, managed_by = excluded.managed_by
RETURNING number
