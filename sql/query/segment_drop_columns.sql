-- segment_drop_columns: ?1 number, ?2 how many; no columns; segment_store.c
DELETE FROM segment_columns WHERE key IN
    (SELECT key FROM segment_columns WHERE key >= ?1 * 64 AND key < ?1 * 64 + 64 LIMIT ?2)
