-- doctor_log: no parameters; live segments, their events, their bytes, events that wait as rows; doctor.c
SELECT count(*), coalesce(sum(row_count), 0),
    coalesce((SELECT sum(length(body)) FROM segment_columns), 0),
    (SELECT count(*) FROM events
        WHERE seq > coalesce((SELECT value FROM meta WHERE key = 'sealed_to'), 0))
FROM segments WHERE state = 1
