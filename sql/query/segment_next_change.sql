-- segment_next_change: no parameters; seq; segment_store.c
SELECT seq FROM segment_changes ORDER BY seq LIMIT 1
