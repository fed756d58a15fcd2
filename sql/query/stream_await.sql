-- stream_await: ?1 destination, ?2 batch; no columns; stream_store.c
UPDATE stream_state SET batch = ?2 WHERE destination = ?1
