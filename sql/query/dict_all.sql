-- dict_all: no parameters; number, field, text; dict.c
SELECT number, field, text FROM dict
