-- doctor_destinations: id, waiting, dead, state, reason of destinations that have or had messages; doctor.c
SELECT o.destination, sum(o.state IN ('waiting', 'sending', 'held')), sum(o.state = 'dead'), s.state, s.reason
FROM outbox o LEFT JOIN destination_state s ON s.destination = o.destination
GROUP BY o.destination ORDER BY o.destination
