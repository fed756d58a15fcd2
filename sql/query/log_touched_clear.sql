-- log_touched_clear: no parameters; no columns; log_change.c
DELETE FROM log_touched
