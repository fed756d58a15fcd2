-- day_modified: ?1 site, ?2 first day, ?3 last day; days, those that are not counted now, when the last was; export_since.c
SELECT count(*), coalesce(sum(generation != built_generation), 0), coalesce(max(built), 0)
FROM day_state WHERE site = ?1 AND day BETWEEN ?2 AND ?3
