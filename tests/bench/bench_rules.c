/* bench_rules.c - what an event costs the rules, in processor time:
 *     build/release/tests/bench_rules
 * Batches of 64 and 1,000 views and clicks of 20 sites go through the consumer
 * of the cursor, with no rule, with rules of which none matches, and with one
 * of each kind that does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alerts/engine.h"
#include "base/clock.h"
#include "sql/writer.h"

#define SITES 20
#define EVENTS 400000
#define BATCH_MOST 1000
#define NOW_MS INT64_C(1795510800000)

static void must(enum lb_err rc, const struct lb_error *err)
{
    if (rc != LB_OK) {
        (void)fprintf(stderr, "%s\n", err->text);
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

static void run_sql(struct db *db, const char *sql)
{
    if (sqlite3_exec(db_handle(db), sql, NULL, NULL, NULL) != SQLITE_OK) {
        (void)fprintf(stderr, "%s\n", sqlite3_errmsg(db_handle(db)));
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

static void add_rule(struct db *db, int number, const char *members)
{
    char sql[600];

    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO objects VALUES (%d, 0, 'r%d', "
                   "'{\"id\":\"r%d\",%s}', 'api', 1);"
                   "INSERT INTO rule_ready VALUES (%d, 1)",
                   number, number, number, members, number);
    run_sql(db, sql);
}

static int64_t cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fill(struct entry *entry, int64_t n)
{
    static const char *const links[] = {"shop", "book-call", "mail"};
    static const char *const campaigns[] = {"spring", "summer", "autumn"};

    memset(entry, 0, sizeof(*entry));
    entry->seq = n + 10;
    entry->received_at_ms = NOW_MS + n / 100;
    entry->ts_at_ms = entry->received_at_ms;
    entry->site = 1 + n % SITES;
    entry->type = n % 4 == 0 ? ENTRY_CLICK : ENTRY_VIEW;
    entry->visitor = 1 + n * 7919 % 50000;
    entry->text[ENTRY_TEXT_ID] = "e";
    entry->text[ENTRY_TEXT_LINK] = links[n % 3];
    entry->text[ENTRY_TEXT_UTM_CAMPAIGN] = campaigns[n % 3];
    entry->text[ENTRY_TEXT_UTM_MEDIUM] = n % 5 == 0 ? "partner" : "email";
    entry->text[ENTRY_TEXT_PAGE] = "/";
}

struct world {
    struct writer *writer;
    struct catalog_holder *holder;
    struct engine *engine;
    struct lb_config config;
};

static void open_world(struct world *world, int count, const char *members)
{
    const struct writer_limits limits = {1000, 1000000, 1000, 0, 0};
    struct lb_error err;

    must(writer_new(NULL, ":memory:", &limits, &world->writer, &err), &err);
    for (int i = 1; i <= SITES; i++) {
        char sql[200];

        (void)snprintf(sql, sizeof(sql),
                       "INSERT INTO sites VALUES (%d, 's%d.bio', 'UTC', '[]', "
                       "'{}', 'api', 1, NULL)",
                       i, i);
        run_sql(writer_db(world->writer), sql);
    }
    for (int i = 1; i <= count; i++) {
        add_rule(writer_db(world->writer), i, members);
    }
    must(catalog_holder_new(world->writer, &world->holder, &err), &err);
    must(lb_config_init(&world->config, &err), &err);
    must(engine_new(writer_db(world->writer), world->holder, &world->config,
                    &world->engine, &err),
         &err);
}

static void close_world(struct world *world)
{
    engine_free(world->engine);
    lb_config_deinit(&world->config);
    catalog_holder_free(world->holder);
    writer_free(world->writer);
}

/* count rules with the same members, over all events. */
static void
measure(const char *what, size_t batch, int count, const char *members)
{
    static struct entry entries[BATCH_MOST];
    static const struct entry *list[BATCH_MOST];
    struct world world;
    struct cursor_consumer consumer;
    struct lb_error err;
    int64_t spent_ns = 0;

    open_world(&world, count, members);
    consumer = engine_consumer(world.engine);
    for (int64_t n = 0; n < EVENTS; n += (int64_t)batch) {
        struct db *db = writer_db(world.writer);
        int64_t began_ns;

        for (size_t i = 0; i < batch; i++) {
            fill(&entries[i], n + (int64_t)i);
            list[i] = &entries[i];
        }
        must(db_begin(db, &err), &err);
        began_ns = cpu_ns();
        must(consumer.apply(consumer.ctx, db, list, batch, &err), &err);
        spent_ns += cpu_ns() - began_ns;
        must(db_commit(db, &err), &err);
        consumer.committed(consumer.ctx);
    }
    (void)printf("%-36s %4zu at once: %7.1f ns an event\n", what, batch,
                 (double)spent_ns / EVENTS);
    close_world(&world);
}

int main(void)
{
    static const struct {
        const char *what;
        int count;
        const char *members;
    } rows[] = {
        {"no rule", 0, ""},
        {"1 rule for leads", 1,
         "\"kind\":\"event\",\"match\":{\"type\":\"lead\"}"},
        {"100 rules for leads", 100,
         "\"kind\":\"event\",\"match\":{\"type\":\"lead\"}"},
        {"1 rule for another campaign", 1,
         "\"kind\":\"event\",\"match\":{\"utm_campaign\":\"partner-*\"}"},
        {"100 rules for other campaigns", 100,
         "\"kind\":\"event\",\"match\":{\"utm_campaign\":\"partner-*\"}"},
        {"first_seen, a fifth of the events", 1,
         "\"kind\":\"first_seen\",\"match\":{\"utm_medium\":\"partner\"},"
         "\"key\":[\"utm_campaign\"]"},
        {"clicks a minute by link, a quarter", 1,
         "\"kind\":\"threshold\",\"metric\":\"clicks\",\"window\":\"1m\","
         "\"above\":1000000,\"per\":[\"link\"]"},
        {"visitors an hour, every event", 1,
         "\"kind\":\"threshold\",\"metric\":\"visitors\",\"window\":\"1h\","
         "\"above\":900000"}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        measure(rows[i].what, 64, rows[i].count, rows[i].members);
        measure(rows[i].what, BATCH_MOST, rows[i].count, rows[i].members);
    }
    return 0;
}
