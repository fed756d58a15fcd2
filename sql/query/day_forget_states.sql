-- day_forget_states: ?1 site, ?2 first day; no columns; day_store.c
DELETE FROM day_state WHERE site = ?1 AND day >= ?2
