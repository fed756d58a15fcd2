-- horizon_all: no parameters; site, horizon; horizon.c
SELECT number, horizon FROM sites WHERE horizon IS NOT NULL ORDER BY number
