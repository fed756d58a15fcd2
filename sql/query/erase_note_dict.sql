-- erase_note_dict: ?1 number; no columns; erase.c
INSERT OR IGNORE INTO erased_dict (number) VALUES (?1)
