-- db_savepoint: no parameters; no columns; db.c
SAVEPOINT derive
