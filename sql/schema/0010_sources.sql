-- 0010_sources: what the senders of inbound webhooks have delivered lately, and what
-- was said of it, where they stop at a number in 24 hours.

-- Deliveries of a source by 15-minute bucket; kept a day.
CREATE TABLE source_deliveries (
    source INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    PRIMARY KEY (source, bucket)
) STRICT, WITHOUT ROWID;

-- Up to which bucket figures are told to be cut short; when the owner was told last.
CREATE TABLE source_caps (
    source INTEGER PRIMARY KEY,
    until INTEGER NOT NULL,
    told INTEGER NOT NULL
) STRICT;
