-- log_insert_event: ?1 to ?29 as the columns below; no columns; log_store.c
INSERT INTO events (seq, site, ts, received, bits, id_hash, visitor_day, visitor,
    link, source, channel, utm_source, utm_medium, utm_campaign, place, device, reason,
    amount, currency, id, name, host, page, referrer, utm_term, utm_content, click_id,
    props, bot_entry)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
    ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)
