/* plausible_bench.h - bodies of POST /api/event read in the world of a few
 * sites. */
#ifndef LINKBELL_TESTS_SUPPORT_PLAUSIBLE_BENCH_H
#define LINKBELL_TESTS_SUPPORT_PLAUSIBLE_BENCH_H

#include "ingest/plausible.h"
#include "sql/catalog.h"
#include "sql/writer.h"

#define PLAUSIBLE_BENCH_TEXT 8192
/* The start of a body that is a view of alice.bio. */
#define PLAUSIBLE_BENCH_PAGE "\"n\":\"pageview\",\"u\":\"https://alice.bio/\""

/* Sites alice.bio, with lead events "Signup" and "Sign up" and the links shop
 * (https://Shop.example), call (https://cal.example/alice?x=1) and gone, which
 * was removed (https://gone.example/); and bob.bio. */
struct plausible_bench {
    struct writer *writer;
    struct catalog_holder *holder;
    struct catalog *catalog;
    struct lb_arena *arena;
    struct plausible read;
    char text[PLAUSIBLE_BENCH_TEXT]; /* the events, a line each, or the faults
                                      */
};

/* Set-up and tear-down of a cmocka test; *state is a struct plausible_bench. */
int plausible_bench_open(void **state);
int plausible_bench_close(void **state);

/* Within a transaction of the caller. */
int64_t plausible_bench_put_site(struct plausible_bench *bench,
                                 const char *id,
                                 const char *settings);

/* What the body makes: native events, a line each; or the faults. */
const char *plausible_bench_read(struct plausible_bench *bench,
                                 const char *body);
/* The same for a body whose second part stands there count times. */
const char *plausible_bench_read_long(struct plausible_bench *bench,
                                      const char *const parts[3],
                                      size_t count);

#endif
