-- catalog_remove_link: ?1 site, ?2 slug, ?3 time; no columns; catalog_change.c
UPDATE links SET removed = ?3 WHERE site = ?1 AND slug = ?2 AND removed IS NULL
