-- doctor_last_received: receive time of the newest event, its ts where it is sealed, 0
-- without one; doctor.c
SELECT coalesce((SELECT received FROM event_packs ORDER BY upto DESC LIMIT 1),
    (SELECT max(max_ts) FROM segments WHERE state = 1), 0)
