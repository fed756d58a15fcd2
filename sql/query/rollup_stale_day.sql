-- rollup_stale_day: ?1 site, ?2 day; no columns; rollup_store.c
UPDATE day_state SET generation = generation + 1 WHERE site = ?1 AND day = ?2
