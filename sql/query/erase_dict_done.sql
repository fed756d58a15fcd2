-- erase_dict_done: ?1 number; no columns; erase.c
DELETE FROM erased_dict WHERE number = ?1
