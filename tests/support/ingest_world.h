/* ingest_world.h - a database in memory or in a directory with two sites, and
 * the modules that take events in, for tests. */
#ifndef LINKBELL_TESTS_SUPPORT_INGEST_WORLD_H
#define LINKBELL_TESTS_SUPPORT_INGEST_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "ingest/agent_cache.h"
#include "ingest/event_store.h"
#include "ingest/source.h"
#include "ingest/visitor.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/dict.h"
#include "sql/writer.h"

/* 2026-11-24T09:00:00Z, a Tuesday. */
#define INGEST_WORLD_NOW_MS INT64_C(1795510800000)
#define INGEST_WORLD_IGNORED "192.0.2.64/28" /* of alice.bio's owner */
#define INGEST_WORLD_BURST 60 /* events of a visitor in a minute */

struct ingest_world {
    struct writer *writer;
    struct catalog_holder *holder;
    struct catalog *catalog;
    struct cursor *cursor;
    struct dict *dict;
    struct visitors *visitors;
    struct source_table *sources;
    struct agent_cache *agents;
    struct event_store *store;
    bool is_started;
};

/* Opens everything on dir (":memory:"), with sites alice.bio (Europe/Paris,
 * host l.alice.bio) and bob.bio (America/New_York).  A fault ends the test.
 * The writer's thread is started by the first job. */
void ingest_world_open(struct ingest_world *world, const char *dir);
void ingest_world_close(struct ingest_world *world);

const struct catalog_site *ingest_world_site(const struct ingest_world *world,
                                             const char *id);

/* A context as a request with a token for all sites has it. */
void ingest_world_context(const struct ingest_world *world,
                          struct event_context *context_out);

/* Runs work on the writer's thread in a transaction, waits for its end, and
 * returns the job's outcome. */
enum lb_err ingest_world_run(struct ingest_world *world,
                             enum lb_err (*work)(void *ctx,
                                                 struct db *db,
                                                 struct lb_error *err),
                             void *ctx);

#endif
