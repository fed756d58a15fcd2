-- 0001_log: the log, what it refers to, and who may ask.
-- db.c sets auto_vacuum, page size and application id before this runs.

CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Keys and other bytes that belong to this database alone.
CREATE TABLE secrets (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sites (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    timezone TEXT NOT NULL,
    hosts TEXT NOT NULL,     -- JSON array
    settings TEXT NOT NULL,  -- JSON object
    managed_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    removed INTEGER
) STRICT;
CREATE UNIQUE INDEX sites_id ON sites (id) WHERE removed IS NULL;

CREATE TABLE links (
    number INTEGER PRIMARY KEY,
    site INTEGER NOT NULL,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT NOT NULL,
    intent TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    managed_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    removed INTEGER,
    UNIQUE (site, slug)
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    prefix TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes INTEGER NOT NULL,
    sites TEXT,              -- JSON array of site numbers; NULL: all
    in_url INTEGER NOT NULL,
    created INTEGER NOT NULL,
    last_used INTEGER,
    revoked INTEGER
) STRICT, WITHOUT ROWID;

-- Rules, destinations and sources, as JSON without secrets.
CREATE TABLE objects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    managed_by TEXT NOT NULL,
    created INTEGER NOT NULL,
    UNIQUE (kind, id)
) STRICT;

-- Numbers for short closed lists; entry.h names the columns.
CREATE TABLE dict (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    field INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (field, text)
) STRICT;

-- Events not yet sealed.  bits: type (0-1), traffic (2-3), double tap (4),
-- orphan (5), qr (6), silent (7), visit start (8).
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    site INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    received INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    id_hash INTEGER NOT NULL,
    visitor_day INTEGER,
    visitor INTEGER,
    link INTEGER,
    source INTEGER,
    channel INTEGER,
    utm_source INTEGER,
    utm_medium INTEGER,
    utm_campaign INTEGER,
    place INTEGER,
    device INTEGER,
    reason INTEGER,
    amount INTEGER,
    currency TEXT,
    id TEXT NOT NULL,
    name TEXT,
    host TEXT,
    page TEXT,
    referrer TEXT,
    utm_term TEXT,
    utm_content TEXT,
    click_id TEXT,
    props TEXT
) STRICT;

-- Log entries that are no events.
CREATE TABLE entries (
    seq INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    received INTEGER NOT NULL,
    data TEXT
) STRICT;

-- Times and sites of each 4,096 log numbers; sites is a set of site numbers mod 63.
CREATE TABLE blocks (
    block INTEGER PRIMARY KEY,
    min_ts INTEGER NOT NULL,
    max_ts INTEGER NOT NULL,
    sites INTEGER NOT NULL
) STRICT;

CREATE TABLE contacts (
    seq INTEGER PRIMARY KEY,
    email TEXT,
    name TEXT,
    message TEXT,
    phone TEXT
) STRICT;

-- A salt lives for its site's period and 72 hours; import is '' for live events.
CREATE TABLE salts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    site INTEGER NOT NULL,
    day INTEGER NOT NULL,
    import TEXT NOT NULL,
    salt BLOB NOT NULL,
    expires INTEGER NOT NULL,
    UNIQUE (site, day, import)
) STRICT;

-- Visitors of a salt in the order of their numbers; gone with the salt.
CREATE TABLE visitor_hashes (
    salt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    PRIMARY KEY (salt, number)
) STRICT, WITHOUT ROWID;

-- The next visitor number of a site's period.
CREATE TABLE visitor_periods (
    site INTEGER NOT NULL,
    day INTEGER NOT NULL,
    next_number INTEGER NOT NULL,
    PRIMARY KEY (site, day)
) STRICT, WITHOUT ROWID;

-- Answers to requests with an Idempotency-Key, kept 24 hours.
CREATE TABLE idempotency (
    token TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    answer TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (token, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created);
