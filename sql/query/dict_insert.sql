-- dict_insert: ?1 field, ?2 text; no columns; dict.c
INSERT INTO dict (field, text) VALUES (?1, ?2)
