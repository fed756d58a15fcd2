-- 0009_visitor_order: numbers of visitors in the order in which they were given out.
-- In the order of their salts each new visitor of another site was another page to write.

CREATE TABLE visitor_numbers (
    seq INTEGER PRIMARY KEY,
    salt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash INTEGER NOT NULL
) STRICT;
INSERT INTO visitor_numbers (salt, number, hash)
SELECT salt, number, hash FROM visitor_hashes ORDER BY salt, number;
DROP TABLE visitor_hashes;
ALTER TABLE visitor_numbers RENAME TO visitor_hashes;
