-- outbox_attempt: ?1 to ?14 as the columns; no columns; outbox_store.c
INSERT OR REPLACE INTO attempts (delivery, number, started, ms, dns_ms, connect_ms, tls_ms,
    first_byte_ms, address, outcome, status, error, request_bytes, excerpt)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
    iif((SELECT m.erased FROM outbox o JOIN messages m ON m.id = o.message WHERE o.id = ?1), NULL, ?14))
