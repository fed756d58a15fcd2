-- doctor_last_received: receive time of the newest event, 0 without one; doctor.c
SELECT coalesce((SELECT received FROM events ORDER BY seq DESC LIMIT 1), 0)
