-- alerts_rehearsed_held: ?1 from, ?2 to; held_back, count; alerts_store.c
SELECT held_back, count(*) FROM alerts
WHERE fired >= ?1 AND fired < ?2 AND held_back IS NOT NULL
GROUP BY held_back ORDER BY held_back
