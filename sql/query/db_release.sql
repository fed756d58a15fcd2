-- db_release: no parameters; no columns; db.c
RELEASE derive
