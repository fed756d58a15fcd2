-- 0022_backlog: how many messages wait at each destination, always, so that max_waiting is kept
-- without counting them; and of how many alerts it was not told for that.
CREATE TABLE outbox_backlog (
    destination TEXT PRIMARY KEY,
    waiting INTEGER NOT NULL, -- in the states waiting, sending and held
    left_out INTEGER NOT NULL DEFAULT 0, -- ever
    settled INTEGER NOT NULL DEFAULT 0, -- left_out when it last had room again
    told INTEGER NOT NULL DEFAULT 0 -- when its owner heard that it is full; 0: he has not, or it no longer is
) STRICT, WITHOUT ROWID;
INSERT INTO outbox_backlog (destination, waiting)
SELECT destination, count(*) FROM outbox WHERE state IN ('waiting', 'sending', 'held') GROUP BY destination;

CREATE TRIGGER backlog_new AFTER INSERT ON outbox BEGIN
    INSERT OR IGNORE INTO outbox_backlog (destination, waiting) VALUES (new.destination, 0);
    UPDATE outbox_backlog SET waiting = waiting + (new.state IN ('waiting', 'sending', 'held')),
        left_out = left_out + (new.reason IS 'backlog')
    WHERE destination = new.destination;
END;
CREATE TRIGGER backlog_changed AFTER UPDATE OF state ON outbox
WHEN (old.state IN ('waiting', 'sending', 'held')) <> (new.state IN ('waiting', 'sending', 'held')) BEGIN
    UPDATE outbox_backlog SET waiting = waiting + iif(new.state IN ('waiting', 'sending', 'held'), 1, -1)
    WHERE destination = new.destination;
END;
-- One that was left out is sent after all: it is held back no more, and that it is over is told.
CREATE TRIGGER backlog_again AFTER UPDATE OF reason ON outbox
WHEN old.reason IS 'backlog' AND new.reason IS NULL BEGIN
    UPDATE alerts SET held_back = NULL, state = iif(resolved IS NULL, 'firing', 'resolved')
    WHERE id = new.message AND held_back = 'backlog';
    UPDATE outbox SET state = new.state, due = new.due, reason = NULL
    WHERE message = new.message || '_resolved' AND destination = new.destination
        AND state = 'skipped' AND reason = 'fired_never_delivered';
END;
CREATE TRIGGER backlog_gone AFTER DELETE ON outbox WHEN old.state IN ('waiting', 'sending', 'held') BEGIN
    UPDATE outbox_backlog SET waiting = waiting - 1 WHERE destination = old.destination;
END;
