-- 0023_event_packs: events not yet sealed, several to a row instead of a row of 29 columns
-- for each (log_pack.h has the format of body).  event_pack() is there while this runs
-- (log_migrate.h).
CREATE TABLE event_packs (
    upto INTEGER PRIMARY KEY, -- no log number of its events is greater, and all before are less
    count INTEGER NOT NULL,
    received INTEGER NOT NULL, -- of its newest event
    body BLOB NOT NULL
) STRICT;
INSERT INTO event_packs (upto, count, received, body)
SELECT seq, 1, received, event_pack(seq, site, ts, received, bits, id_hash, visitor_day,
    visitor, link, source, channel, utm_source, utm_medium, utm_campaign, place, device,
    reason, amount, currency, id, name, host, page, referrer, utm_term, utm_content,
    click_id, props, bot_entry)
FROM events ORDER BY seq;
DROP TABLE events;
