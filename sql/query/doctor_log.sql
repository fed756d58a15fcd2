-- doctor_log: no parameters; live segments, their events, their bytes, events that are not sealed; doctor.c
SELECT count(*), coalesce(sum(row_count), 0),
    coalesce((SELECT sum(length(body)) FROM segment_columns), 0),
    (SELECT coalesce(sum(count), 0) FROM event_packs
        WHERE upto > coalesce((SELECT value FROM meta WHERE key = 'sealed_to'), 0))
FROM segments WHERE state = 1
