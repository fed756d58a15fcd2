-- 0002_rollups: what is derived from the log and asked most.

-- One row a site, 15-minute bucket (UTC) and traffic class, moved on with each batch.
CREATE TABLE rollup_totals (
    site INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    traffic INTEGER NOT NULL,
    events INTEGER NOT NULL,
    views INTEGER NOT NULL,
    clicks_raw INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    leads INTEGER NOT NULL,
    conversions INTEGER NOT NULL,
    orphan_clicks INTEGER NOT NULL,
    PRIMARY KEY (site, bucket, traffic)
) STRICT, WITHOUT ROWID;

-- A site's local days.  generation grows with each event that makes a day stale.
CREATE TABLE day_state (
    site INTEGER NOT NULL,
    day INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    built_generation INTEGER NOT NULL,
    built INTEGER NOT NULL,
    timezone TEXT NOT NULL,
    PRIMARY KEY (site, day)
) STRICT, WITHOUT ROWID;

-- One short BLOB a closed day and dimension (rollup_day.h).
CREATE TABLE rollup_days (
    site INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    day INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (site, dimension, day)
) STRICT, WITHOUT ROWID;
