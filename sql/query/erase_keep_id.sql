-- erase_keep_id: ?1 seq, ?2 id_hash, ?3 received, ?4 now; no columns; erase.c
INSERT OR REPLACE INTO erased_ids (seq, id_hash, received, erased) VALUES (?1, ?2, ?3, ?4)
