-- 0003_alerts: what rules know, what they raised, and what goes out.

-- Rules that have learnt from the log and decide.
CREATE TABLE rule_ready (
    rule INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT;

-- Values of first_seen, as keyed hashes.
CREATE TABLE rule_seen (
    rule INTEGER NOT NULL,
    site INTEGER NOT NULL,
    key_hash BLOB NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (rule, site, key_hash)
) STRICT, WITHOUT ROWID;

-- One row a rule, site and group that fired; group '' also counts the day's alerts.
CREATE TABLE rule_state (
    rule INTEGER NOT NULL,
    site INTEGER NOT NULL,
    grp TEXT NOT NULL,
    last_fired INTEGER NOT NULL,
    firing INTEGER NOT NULL,
    day INTEGER NOT NULL,
    day_count INTEGER NOT NULL,
    PRIMARY KEY (rule, site, grp)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    rule TEXT NOT NULL,
    site TEXT NOT NULL,
    severity TEXT NOT NULL,
    fired INTEGER NOT NULL,
    state TEXT NOT NULL,
    held_back TEXT,
    data TEXT NOT NULL
) STRICT;

-- The exact bytes of the webhook's body, once.
CREATE TABLE messages (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    rule TEXT NOT NULL,
    site TEXT NOT NULL,
    body TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a message and destination.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    message TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL, -- waiting, sending, held, delivered, dead, skipped
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason TEXT,
    remote_id TEXT,
    UNIQUE (message, destination)
) STRICT;
CREATE INDEX outbox_due ON outbox (destination, due) WHERE state = 'waiting';

CREATE TABLE attempts (
    delivery TEXT NOT NULL,
    number INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ms INTEGER NOT NULL,
    dns_ms INTEGER NOT NULL,
    connect_ms INTEGER NOT NULL,
    tls_ms INTEGER NOT NULL,
    first_byte_ms INTEGER NOT NULL,
    address TEXT,
    outcome TEXT NOT NULL,
    status INTEGER,
    error TEXT,
    request_bytes INTEGER NOT NULL,
    excerpt TEXT,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- Destinations that do not take messages now.
CREATE TABLE destination_state (
    destination TEXT PRIMARY KEY,
    state TEXT NOT NULL, -- open, paused, disabled
    reason TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
