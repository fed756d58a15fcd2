-- erase_dict_noted: no parameters; number; erase.c
SELECT number FROM erased_dict ORDER BY number
