-- log_events: ?1 after, ?2 up to; all columns of events; log_store.c
SELECT seq, site, ts, received, bits, id_hash, visitor_day, visitor, link, source,
    channel, utm_source, utm_medium, utm_campaign, place, device, reason, amount,
    currency, id, name, host, page, referrer, utm_term, utm_content, click_id, props,
    bot_entry
FROM events WHERE seq > ?1 AND seq <= ?2 ORDER BY seq
