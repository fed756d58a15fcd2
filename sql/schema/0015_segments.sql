-- 0015_segments: events that were sealed into columns (segment.h), and what has
-- changed in them since.

-- state: 0 pending, 1 live, 2 dead; a start drops what is not live.  A live one
-- holds all events of after_seq < seq <= upto_seq; sites as in blocks.
CREATE TABLE segments (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state INTEGER NOT NULL,
    after_seq INTEGER NOT NULL,
    upto_seq INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    min_ts INTEGER NOT NULL,
    max_ts INTEGER NOT NULL,
    sites INTEGER NOT NULL,
    directory BLOB NOT NULL
) STRICT;

-- key: 64 times the segment's number and the column's.
CREATE TABLE segment_columns (
    key INTEGER PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

-- Events of live segments that are gone (bits NULL) or of another class, until
-- their segment is written anew.
CREATE TABLE segment_changes (
    seq INTEGER PRIMARY KEY,
    bits INTEGER,
    reason INTEGER
) STRICT;
