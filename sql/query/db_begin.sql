-- db_begin: no parameters; no columns; db.c
BEGIN
