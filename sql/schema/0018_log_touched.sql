-- 0018_log_touched: which events changed of late, so that a segment under way knows
-- whether one of its own did.
CREATE TABLE log_touched (
    count INTEGER PRIMARY KEY, -- of changes so far, as in meta
    seq INTEGER NOT NULL
) STRICT;
