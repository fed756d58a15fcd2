-- dict_find: ?1 field, ?2 text; number; dict.c
SELECT number FROM dict WHERE field = ?1 AND text = ?2
