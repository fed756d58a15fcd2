-- rollup_bounds: ?1 site; first bucket, last bucket; rollup_store.c
-- Asked together SQLite would read all of the site's rows; apart each is one look-up.
SELECT (SELECT min(bucket) FROM rollup_totals WHERE site = ?1),
    (SELECT max(bucket) FROM rollup_totals WHERE site = ?1)
