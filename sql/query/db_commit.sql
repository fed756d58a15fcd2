-- db_commit: no parameters; no columns; db.c
COMMIT
