/* ingest_world.c - the modules that take events in, put together for tests. */
#include "tests/support/ingest_world.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

struct waiting_job {
    struct writer_job job; /* first */
    enum lb_err (*work)(void *ctx, struct db *db, struct lb_error *err);
    void *ctx;
    sem_t is_done;
    enum lb_err rc;
};

static void put_site(struct ingest_world *world,
                     const char *id,
                     const char *zone,
                     const char *host,
                     const char *settings)
{
    const char *const hosts[] = {host};
    const struct catalog_site_draft draft = {
        id, zone, hosts, host == NULL ? 0 : 1, settings, false};
    struct lb_error err = {LB_OK, ""};
    int64_t number = 0;

    if (catalog_put_site(world->holder, writer_db(world->writer), &draft,
                         &number, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
}

static void check(enum lb_err rc, const struct lb_error *err)
{
    if (rc != LB_OK) {
        fail_msg("%s", err->text);
    }
}

void ingest_world_open(struct ingest_world *world, const char *dir)
{
    const struct writer_limits limits = {.queue_events = 100000,
                                         .queue_bytes = (size_t)16 << 20,
                                         .group_events = 10000};
    const struct event_store_limits store_limits = {
        100000, 72 * LB_MS_PER_HOUR, 10000, 10000, INGEST_WORLD_BURST};
    struct event_store_parts parts;
    struct lb_error err = {LB_OK, ""};

    memset(world, 0, sizeof(*world));
    check(writer_new(NULL, dir, &limits, &world->writer, &err), &err);
    check(catalog_holder_new(world->writer, &world->holder, &err), &err);
    check(db_begin(writer_db(world->writer), &err), &err);
    put_site(world, "alice.bio", "Europe/Paris", "l.alice.bio",
             "{\"ignore_ips\":[\"" INGEST_WORLD_IGNORED "\"]}");
    put_site(world, "bob.bio", "America/New_York", NULL, "{}");
    check(db_commit(writer_db(world->writer), &err), &err);
    check(catalog_load(writer_db(world->writer), &world->catalog, &err), &err);
    check(dict_new(world->writer, &world->dict, &err), &err);
    check(cursor_new(world->writer, &world->cursor, &err), &err);
    check(visitor_new(world->writer, &world->visitors, &err), &err);
    parts = (struct event_store_parts){world->writer, world->cursor,
                                       world->dict, world->visitors};
    check(event_store_new(&parts, &store_limits, &world->store, &err), &err);
    world->sources = source_table_new();
    assert_non_null(world->sources);
    check(agent_cache_new(&world->agents, &err), &err);
}

void ingest_world_close(struct ingest_world *world)
{
    if (world->is_started) {
        writer_stop(world->writer);
    }
    event_store_free(world->store);
    visitor_free(world->visitors);
    cursor_free(world->cursor);
    dict_free(world->dict);
    catalog_unref(world->catalog);
    catalog_holder_free(world->holder);
    writer_free(world->writer);
    source_table_free(world->sources);
    agent_cache_free(world->agents);
    memset(world, 0, sizeof(*world));
}

const struct catalog_site *ingest_world_site(const struct ingest_world *world,
                                             const char *id)
{
    const struct catalog_site *site = catalog_site_find(world->catalog, id);

    assert_non_null(site);
    return site;
}

void ingest_world_context(const struct ingest_world *world,
                          struct event_context *context_out)
{
    memset(context_out, 0, sizeof(*context_out));
    context_out->catalog = world->catalog;
    context_out->sources = world->sources;
    context_out->agents = world->agents;
    context_out->visitors = world->visitors;
    memcpy(context_out->id_key, event_store_id_key(world->store),
           sizeof(context_out->id_key));
    context_out->received_at_ms = lb_clock_wall_ms();
    context_out->import = "";
    context_out->text_bytes = 256;
    context_out->is_contact_kept[ENTRY_CONTACT_EMAIL] = true;
    context_out->is_contact_kept[ENTRY_CONTACT_NAME] = true;
}

static enum lb_err
run_waiting(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct waiting_job *waiting = (struct waiting_job *)(void *)job;

    return waiting->work(waiting->ctx, db, err);
}

static void
done_waiting(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct waiting_job *waiting = (struct waiting_job *)(void *)job;

    (void)err;
    waiting->rc = rc;
    (void)sem_post(&waiting->is_done);
}

enum lb_err ingest_world_run(struct ingest_world *world,
                             enum lb_err (*work)(void *ctx,
                                                 struct db *db,
                                                 struct lb_error *err),
                             void *ctx)
{
    struct waiting_job waiting = {.job = {.run = run_waiting,
                                          .done = done_waiting,
                                          .event_count = 1,
                                          .bytes = 1,
                                          .is_append = true},
                                  .work = work,
                                  .ctx = ctx};
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(sem_init(&waiting.is_done, 0, 0), 0);
    if (!world->is_started) {
        check(writer_start(world->writer, &err), &err);
        world->is_started = true;
    }
    assert_int_equal(writer_submit(world->writer, &waiting.job), LB_OK);
    while (sem_wait(&waiting.is_done) != 0) {
    }
    (void)sem_destroy(&waiting.is_done);
    return waiting.rc;
}
