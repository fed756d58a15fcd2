-- day_read: ?1 site, ?2 dimension, ?3 first day, ?4 last day; day, whether it is built,
-- body, body of the total (dimension 0); day_store.c
SELECT s.day, s.generation = s.built_generation, d.body, t.body
FROM day_state s
LEFT JOIN rollup_days d ON d.site = ?1 AND d.dimension = ?2 AND d.day = s.day
LEFT JOIN rollup_days t ON t.site = ?1 AND t.dimension = 0 AND t.day = s.day
WHERE s.site = ?1 AND s.day BETWEEN ?3 AND ?4
ORDER BY s.day
