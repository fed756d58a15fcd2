-- 0009_coverage: quarters of an hour for which a site's figures are incomplete.

-- state: 1 truncated, 2 gap; a bucket without a row is complete.
CREATE TABLE coverage (
    site INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    state INTEGER NOT NULL,
    PRIMARY KEY (site, bucket)
) STRICT, WITHOUT ROWID;
