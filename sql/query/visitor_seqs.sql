-- visitor_seqs: no parameters; least and greatest seq, NULL without any; visitor_store.c
SELECT (SELECT min(seq) FROM visitor_hashes), (SELECT max(seq) FROM visitor_hashes)
