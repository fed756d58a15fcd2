-- erase_sites: ?1 id; number of each site that has or had it; erase.c
SELECT number FROM sites WHERE id = ?1
