-- stream_told: ?1 destination; no columns; retention.c
UPDATE stream_state SET told = 1 WHERE destination = ?1
