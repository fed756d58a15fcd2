-- 0016_day_order: counted days in the order in which they are written.  In the order of
-- their sites and dimensions each was put between others, and pages stayed half empty;
-- and a row of a table without rowid that is longer than a quarter of a page has pages
-- of its own.
CREATE TABLE rollup_days_ordered (
    key INTEGER PRIMARY KEY, -- (day << 32 | site) << 5 | dimension
    body BLOB NOT NULL,
    day INTEGER GENERATED ALWAYS AS (key >> 37) VIRTUAL,
    site INTEGER GENERATED ALWAYS AS (key >> 5 & 4294967295) VIRTUAL,
    dimension INTEGER GENERATED ALWAYS AS (key & 31) VIRTUAL
) STRICT;
INSERT INTO rollup_days_ordered (key, body)
SELECT (day << 32 | site) << 5 | dimension, body FROM rollup_days ORDER BY day, site, dimension;
DROP TABLE rollup_days;
ALTER TABLE rollup_days_ordered RENAME TO rollup_days;
