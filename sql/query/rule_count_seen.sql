-- rule_count_seen: ?1 rule; site, how many values were seen there; alert_store.c
SELECT site, count(*) FROM rule_seen WHERE rule = ?1 GROUP BY site
