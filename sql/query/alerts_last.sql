-- alerts_last: the greatest number, 0 without alerts; alerts_store.c
SELECT coalesce(max(number), 0) FROM alerts
