-- 0020_streams: how far each destination that gets events as a stream has been planned, and
-- the batch that was planned last: the next one follows when that has an end.
CREATE TABLE stream_state (
    destination TEXT PRIMARY KEY,
    planned_seq INTEGER NOT NULL, -- events up to it are in batches, or of no interest
    batch TEXT -- id of the last message; NULL: none yet
) STRICT, WITHOUT ROWID;
