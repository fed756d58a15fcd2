-- segment_directory: ?1 number; directory; segment_store.c
SELECT directory FROM segments WHERE number = ?1
