-- catalog_put_link: ?1 site, ?2 slug, ?3 title, ?4 url, ?5 intent, ?6 enabled, ?7 managed_by, ?8 created; no columns; catalog_change.c
INSERT INTO links (site, slug, title, url, intent, enabled, managed_by, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (site, slug) DO UPDATE SET title = excluded.title, url = excluded.url,
    intent = excluded.intent, enabled = excluded.enabled, managed_by = excluded.managed_by,
    created = iif(removed IS NULL, created, excluded.created), removed = NULL
