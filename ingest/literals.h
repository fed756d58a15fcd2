/* literals.h - an automaton that finds many plain texts in one pass (Aho and
 * Corasick, "Efficient string matching", 1975).  Immutable once made, so any
 * thread may scan.  Pure. */
#ifndef LINKBELL_INGEST_LITERALS_H
#define LINKBELL_INGEST_LITERALS_H

#include <stddef.h>
#include <stdint.h>

#define LITERALS_MAX 16384       /* texts */
#define LITERALS_BYTES_MAX 65000 /* of all texts together */

struct literals;

/* The automaton of texts, which must outlive it; freed by literals_free().
 * Empty texts are never found.  The same text may stand there twice.  NULL: out
 * of memory, or past a limit. */
struct literals *literals_new(const char *const *texts, size_t count);
void literals_free(struct literals *literals); /* NULL is fine */

/* Called for each place where a text stands: its index in the list, and the
 * offset behind it. */
typedef void (*literals_fn)(void *ctx, size_t index, size_t end);

/* Finds all texts in bytes, overlapping ones too, in the order of their ends;
 * of those with the same end the longest first. */
void literals_scan(const struct literals *literals,
                   const char *bytes,
                   size_t len,
                   literals_fn found,
                   void *ctx);

/* States, and the bytes that they take; for those who measure. */
size_t literals_states(const struct literals *literals);
size_t literals_bytes(const struct literals *literals);

#endif
