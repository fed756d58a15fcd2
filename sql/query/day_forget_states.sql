-- day_forget_states: ?1 site; no columns; day_store.c
DELETE FROM day_state WHERE site = ?1
