-- 0016_day_order: counted days in the order in which they are written.  In the order of
-- their sites and dimensions each was put between others, and pages stayed half empty.
CREATE TABLE rollup_days_ordered (
    site INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    day INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (day, site, dimension)
) STRICT, WITHOUT ROWID;
INSERT INTO rollup_days_ordered (site, dimension, day, body)
SELECT site, dimension, day, body FROM rollup_days ORDER BY day, site, dimension;
DROP TABLE rollup_days;
ALTER TABLE rollup_days_ordered RENAME TO rollup_days;
