-- seal_delete: ?1 up to which event; no columns; seal_rows.c
DELETE FROM events WHERE seq <= ?1
