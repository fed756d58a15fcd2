-- log_numbers: ?1 after, ?2 up to; the columns that are numbers; log_store.c
SELECT seq, site, ts, received, bits, id_hash, visitor_day, visitor, link, source,
    channel, utm_source, utm_medium, utm_campaign, place, device, reason, amount
FROM events WHERE seq > ?1 AND seq <= ?2 ORDER BY seq
