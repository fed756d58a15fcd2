-- outbox_note_remote: ?1 id, ?2 remote id; no columns; outbox_store.c
UPDATE outbox SET remote_id = ?2 WHERE id = ?1
