-- destination_put_state: ?1 destination, ?2 state, ?3 reason, ?4 since, ?5 fingerprint; no columns; destination_store.c
INSERT OR REPLACE INTO destination_state (destination, state, reason, since, fingerprint)
VALUES (?1, ?2, ?3, ?4, ?5)
