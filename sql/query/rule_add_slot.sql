-- rule_add_slot: ?1 rule, ?2 site, ?3 group, ?4 at, ?5 views, ?6 clicks; no columns; slot_store.c
INSERT INTO rule_slots (rule, site, grp, at, views, clicks) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (rule, site, grp, at) DO UPDATE SET
    views = views + excluded.views, clicks = clicks + excluded.clicks
