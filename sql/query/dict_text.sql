-- dict_text: ?1 number; text; dict.c
SELECT text FROM dict WHERE number = ?1
