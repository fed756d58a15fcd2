-- 0008_refused: how many events of a site were refused, or known already, by hour
-- (of receipt, UTC) and reason.  Nothing else of them is kept.
CREATE TABLE refused (
    site INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    code TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (site, hour, code)
) STRICT, WITHOUT ROWID;
