-- utm_values_of_day: ?1 day; site, field, hash; utm_cap_store.c
SELECT site, field, hash FROM utm_values WHERE day = ?1
