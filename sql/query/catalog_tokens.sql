-- catalog_tokens: no parameters; columns of tokens; catalog.c
SELECT id, prefix, hash, scopes, sites, in_url, created, last_used, revoked FROM tokens
ORDER BY created DESC, id
