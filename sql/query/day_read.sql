-- day_read: ?1 site, ?2 dimension, ?3 first day, ?4 last day; day, whether it is built,
-- body, body of the total (dimension 0); day_store.c
SELECT s.day, s.generation = s.built_generation, d.body, t.body
FROM day_state s
LEFT JOIN rollup_days d ON d.key = ((s.day << 32 | ?1) << 5 | ?2)
LEFT JOIN rollup_days t ON t.key = (s.day << 32 | ?1) << 5
WHERE s.site = ?1 AND s.day BETWEEN ?3 AND ?4
ORDER BY s.day
