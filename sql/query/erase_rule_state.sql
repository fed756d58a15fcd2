-- erase_rule_state: ?1 site, ?2 visitor as a group names it; no columns; erase.c
DELETE FROM rule_state
WHERE site = ?1 AND grp <> '' AND json_extract(grp, '$.visitor') = ?2
