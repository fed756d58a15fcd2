-- 0020_streams: how far each destination that gets events as a stream has been planned, and
-- the batch that was planned last: the next one follows when that has an end.
CREATE TABLE stream_state (
    destination TEXT PRIMARY KEY,
    planned_seq INTEGER NOT NULL, -- events up to it are in batches, or of no interest
    batch TEXT, -- id of the last message; NULL: none yet
    told INTEGER NOT NULL DEFAULT 0 -- its owner knows that retention will overtake it
) STRICT, WITHOUT ROWID;

-- A destination (kind 1) that is taken out, or gets no stream any more, begins anew when it comes
-- back: what happened meanwhile was not meant for it.
CREATE TRIGGER stream_gone AFTER DELETE ON objects WHEN old.kind = 1 BEGIN
    DELETE FROM stream_state WHERE destination = old.id;
END;
CREATE TRIGGER stream_over AFTER UPDATE OF body ON objects
WHEN new.kind = 1 AND instr(new.body, '"stream":') = 0 BEGIN
    DELETE FROM stream_state WHERE destination = new.id;
END;
