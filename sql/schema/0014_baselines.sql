-- 0014_baselines: what rules of kind spike and drop know of a group's past.

-- The detector's state after the windows that ended before `at`, where the window at
-- hand begins; `last` is the last window that counted something.  What the window at
-- hand counts stands in rule_slots, as views.
CREATE TABLE rule_baselines (
    rule INTEGER NOT NULL,
    site INTEGER NOT NULL,
    grp TEXT NOT NULL,
    at INTEGER NOT NULL,
    last INTEGER NOT NULL,
    format INTEGER NOT NULL,
    state BLOB NOT NULL,
    UNIQUE (rule, site, grp)
) STRICT;
