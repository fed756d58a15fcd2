-- erase_dict_text: ?1 number; no columns; erase.c
DELETE FROM dict WHERE number = ?1
