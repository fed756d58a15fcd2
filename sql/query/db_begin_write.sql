-- db_begin_write: no parameters; no columns; db.c
BEGIN IMMEDIATE
