-- seal_first_row: no parameters; the end of the first pack of events; seal_rows.c
SELECT min(upto) FROM event_packs
