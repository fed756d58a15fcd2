-- seal_first_row: no parameters; the first event that is a row; seal.c
SELECT min(seq) FROM events
