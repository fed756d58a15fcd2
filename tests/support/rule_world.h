/* rule_world.h - the engine on a log that a test writes entry by entry, and may
 * be started anew, or have its work undone and done again, at any entry. */
#ifndef LINKBELL_TESTS_SUPPORT_RULE_WORLD_H
#define LINKBELL_TESTS_SUPPORT_RULE_WORLD_H

#include "alerts/engine.h"
#include "sql/coverage.h"
#include "tests/support/ingest_world.h"

#define RULE_WORLD_BATCH 512
#define RULE_WORLD_ALERTS 4096

/* Site numbers of ingest_world. */
#define RULE_WORLD_ALICE 1 /* Europe/Paris */
#define RULE_WORLD_BOB 2   /* America/New_York */

struct rule_world_alert {
    char id[24];
    char rule[40];
    char site[24];
    char state[16];
    char held_back[16]; /* "" when it went out */
    char group[80];
    char event[24]; /* id; "" none */
    double value;
    int64_t window_from_ms; /* 0: none */
    int64_t window_to_ms;
    int64_t fired_at_ms;
    int64_t resolved_at_ms; /* 0: not */
};

struct rule_world_entry {
    struct entry entry;
    char id[24];
    char data[COVERAGE_DATA_BYTES];
};

struct rule_world {
    struct ingest_world ingest; /* its catalog is of before the rules */
    struct engine *engine;
    struct lb_config config;
    struct cursor_consumer inner; /* the engine's */
    /* One in so many applications begins anew before, or is undone and done
     * again; 0: never. */
    uint32_t restart_every;
    uint32_t undo_every;
    uint64_t dice;
    int64_t events; /* made so far; they are called e1, e2 ... */
    struct rule_world_entry batch[RULE_WORLD_BATCH];
    size_t batch_count;
    struct rule_world_alert alerts[RULE_WORLD_ALERTS]; /* in order */
    size_t alert_count;
};

/* In memory; the wall clock stands at INGEST_WORLD_NOW_MS. */
void rule_world_open(struct rule_world *world);
void rule_world_close(struct rule_world *world);

/* Makes or changes the rule; begins_anew as for catalog_put_object().  It
 * decides from rule_world_ready() on. */
void rule_world_put(struct rule_world *world,
                    const char *id,
                    const char *json,
                    bool begins_anew);
/* The rules that have to learn are ready at at_ms: windows are read from the
 * log, values are not. */
void rule_world_ready(struct rule_world *world, int64_t at_ms);

/* Adds to the batch; the entry may be filled further until it is flushed. */
struct entry *rule_world_event(struct rule_world *world,
                               enum entry_type type,
                               int64_t site,
                               int64_t at_ms);
void rule_world_tick(struct rule_world *world, int64_t at_ms);
/* Figures of a site are incomplete from from_ms on, before to_ms. */
void rule_world_coverage(struct rule_world *world,
                         int64_t site,
                         int64_t from_ms,
                         int64_t to_ms,
                         int64_t at_ms);
/* An export was pulled; data as in the log, shorter than 64 bytes. */
void rule_world_pull(struct rule_world *world, const char *data, int64_t at_ms);
/* An entry that no rule looks at. */
void rule_world_other(struct rule_world *world, int64_t at_ms);
void rule_world_start(struct rule_world *world,
                      int64_t down_from_ms,
                      int64_t at_ms);
void rule_world_set_back(struct rule_world *world,
                         int64_t from_ms,
                         int64_t at_ms);
/* Appends the batch in one transaction. */
void rule_world_flush(struct rule_world *world);

/* The same rows, a new engine. */
void rule_world_restart(struct rule_world *world);

/* Flushes and reads all alerts. */
void rule_world_read(struct rule_world *world);
/* How many went out, or were held back for the reason (NULL: went out); of the
 * rule. */
size_t rule_world_count(const struct rule_world *world,
                        const char *rule,
                        const char *held_back);

/* The first column of the first row of a question, after a flush; "" none. */
void rule_world_ask(struct rule_world *world,
                    const char *sql,
                    char *out,
                    size_t out_bytes);

/* Runs one statement. */
void rule_world_sql(struct rule_world *world, const char *sql);

#endif
