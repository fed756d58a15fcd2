-- catalog_links: ?1 site; columns of links; catalog.c
SELECT number, slug, title, url, intent, enabled, managed_by, created, removed FROM links
WHERE site = ?1 ORDER BY slug
