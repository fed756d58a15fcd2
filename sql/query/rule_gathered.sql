-- rule_gathered: ?1 rule, ?2 site; data, resolved; digest_store.c
SELECT a.data, a.resolved FROM rule_gathered g JOIN alerts a ON a.id = g.alert
WHERE g.rule = ?1 AND g.site = ?2 ORDER BY a.number
