-- catalog_put_token: ?1 id, ?2 prefix, ?3 hash, ?4 scopes, ?5 sites, ?6 in_url, ?7 created; no columns; catalog_change.c
INSERT INTO tokens (id, prefix, hash, scopes, sites, in_url, created)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
