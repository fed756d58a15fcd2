-- seal_first_row: no parameters; the first event that is a row; seal_rows.c
SELECT min(seq) FROM events
