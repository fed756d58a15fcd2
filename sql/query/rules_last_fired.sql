-- rules_last_fired: ?1 rule; when one of its alerts went out last; rules_store.c
SELECT max(fired) FROM alerts WHERE rule = ?1 AND held_back IS NULL
