-- 0005_utm_values: which values of utm_* a site had on a day, as keyed hashes.
CREATE TABLE utm_values (
    day INTEGER NOT NULL,
    site INTEGER NOT NULL,
    field INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    PRIMARY KEY (day, site, field, hash)
) STRICT, WITHOUT ROWID;
