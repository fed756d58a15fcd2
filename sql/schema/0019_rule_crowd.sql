-- 0019_rule_crowd: the visitors that a window of a spike or drop has counted, as keyed
-- hashes of window, group and visitor, until no event of that window is counted any more.
CREATE TABLE rule_crowd (
    expires_at INTEGER NOT NULL,
    rule INTEGER NOT NULL,
    site INTEGER NOT NULL,
    key_hash BLOB NOT NULL,
    PRIMARY KEY (expires_at, rule, site, key_hash)
) STRICT, WITHOUT ROWID;
