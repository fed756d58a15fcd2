-- erase_expire_ids: ?1 erased before; no columns; event_store.c
DELETE FROM erased_ids WHERE seq IN (SELECT seq FROM erased_ids WHERE erased < ?1 LIMIT 500)
