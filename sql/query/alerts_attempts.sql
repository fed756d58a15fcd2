-- alerts_attempts: ?1 delivery; number, started, ms, dns_ms, connect_ms, tls_ms, first_byte_ms, address, outcome, status, error, request_bytes, excerpt; alerts_store.c
SELECT number, started, ms, dns_ms, connect_ms, tls_ms, first_byte_ms, address, outcome, status,
    error, request_bytes, excerpt
FROM attempts WHERE delivery = ?1 ORDER BY number
