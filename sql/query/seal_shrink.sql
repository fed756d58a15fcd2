-- seal_shrink: no parameters; a row for each page; seal.c
PRAGMA incremental_vacuum(256)
