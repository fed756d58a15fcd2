-- rule_save_baseline: ?1 rule, ?2 site, ?3 group, ?4 at, ?5 last, ?6 format, ?7 state; no columns; baseline_store.c
INSERT INTO rule_baselines (rule, site, grp, at, last, format, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (rule, site, grp) DO UPDATE SET
    at = excluded.at, last = excluded.last, format = excluded.format, state = excluded.state
