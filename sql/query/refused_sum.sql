-- refused_sum: ?1 site, ?2 first hour, ?3 last hour; code, count; filtered_store.c
SELECT code, sum(count) FROM refused WHERE site = ?1 AND hour BETWEEN ?2 AND ?3 GROUP BY code
ORDER BY code
