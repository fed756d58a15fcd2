-- alerts_deliveries_of: ?1 message; id, destination, state; alerts_store.c
SELECT id, destination, state FROM outbox WHERE message = ?1 ORDER BY number
