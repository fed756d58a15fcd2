-- catalog_sites: no parameters; columns of sites; catalog.c
SELECT number, id, timezone, hosts, settings, managed_by, created, horizon FROM sites
WHERE removed IS NULL ORDER BY id
