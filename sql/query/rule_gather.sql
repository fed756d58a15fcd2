-- rule_gather: ?1 rule, ?2 site, ?3 alert; no columns; digest_store.c
INSERT OR IGNORE INTO rule_gathered (rule, site, alert) VALUES (?1, ?2, ?3)
