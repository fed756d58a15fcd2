-- destination_states: no parameters; destination, state, reason, fingerprint; destination_store.c
SELECT destination, state, reason, fingerprint FROM destination_state
