-- utm_values_expire: ?1 day, ?2 most; no columns; utm_cap_store.c
DELETE FROM utm_values WHERE (day, site, field, hash) IN
    (SELECT day, site, field, hash FROM utm_values WHERE day < ?1 LIMIT ?2)
