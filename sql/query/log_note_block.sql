-- log_note_block: ?1 block, ?2 least ts, ?3 greatest ts, ?4 set of sites; no columns; log_store.c
INSERT INTO blocks (block, min_ts, max_ts, sites) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (block) DO UPDATE SET min_ts = min(min_ts, excluded.min_ts),
    max_ts = max(max_ts, excluded.max_ts), sites = sites | excluded.sites
