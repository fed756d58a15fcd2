/* rule_world.c - the engine on a log that a test writes entry by entry. */
#include "tests/support/rule_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "sql/log_store.h"

static void check(enum lb_err rc, const struct lb_error *err)
{
    if (rc != LB_OK) {
        fail_msg("%s", err->text);
    }
}

static uint32_t roll(struct rule_world *world)
{
    world->dice ^= world->dice << 13;
    world->dice ^= world->dice >> 7;
    world->dice ^= world->dice << 17;
    return (uint32_t)(world->dice >> 16);
}

static bool is_turn(struct rule_world *world, uint32_t every)
{
    return every != 0 && roll(world) % every == 0;
}

/* --- the consumer, with accidents
 * ------------------------------------------------------------------------ */

static void make_engine(struct rule_world *world, struct db *db)
{
    struct lb_error err = {LB_OK, ""};

    check(engine_new(db, world->ingest.holder, &world->config, &world->engine,
                     &err),
          &err);
    world->inner = engine_consumer(world->engine);
}

static void sql(struct db *db, const char *text)
{
    assert_int_equal(sqlite3_exec(db_handle(db), text, NULL, NULL, NULL),
                     SQLITE_OK);
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    struct rule_world *world = ctx;

    if (is_turn(world, world->restart_every)) {
        engine_free(world->engine);
        make_engine(world, db);
    }
    if (is_turn(world, world->undo_every)) {
        size_t part = 1 + roll(world) % count;

        sql(db, "SAVEPOINT accident");
        check(world->inner.apply(world->inner.ctx, db, entries, part, err),
              err);
        sql(db, "ROLLBACK TO accident; RELEASE accident");
        world->inner.rolled_back(world->inner.ctx);
    }
    return world->inner.apply(world->inner.ctx, db, entries, count, err);
}

static void applied(void *ctx)
{
    struct rule_world *world = ctx;

    world->inner.committed(world->inner.ctx);
}

static void undone(void *ctx)
{
    struct rule_world *world = ctx;

    world->inner.rolled_back(world->inner.ctx);
}

void rule_world_open(struct rule_world *world)
{
    const struct cursor_consumer consumer = {"rules", world, apply, applied,
                                             undone};
    struct lb_error err = {LB_OK, ""};

    memset(world, 0, sizeof(*world));
    world->dice = 88172645463325252U;
    lb_clock_fake_wall(INGEST_WORLD_NOW_MS);
    ingest_world_open(&world->ingest, ":memory:");
    check(lb_config_init(&world->config, &err), &err);
    make_engine(world, writer_db(world->ingest.writer));
    cursor_add_consumer(world->ingest.cursor, &consumer);
}

void rule_world_close(struct rule_world *world)
{
    ingest_world_close(&world->ingest);
    engine_free(world->engine);
    lb_config_deinit(&world->config);
    lb_clock_fake_wall(-1);
}

/* --- jobs
 * ------------------------------------------------------------------------ */

struct put {
    struct rule_world *world;
    const char *id;
    const char *json;
    bool begins_anew;
    struct entry entry;
};

static enum lb_err run_put(void *ctx, struct db *db, struct lb_error *err)
{
    struct put *put = ctx;
    const struct catalog_object_draft draft = {CATALOG_RULE, put->id, put->json,
                                               true, put->begins_anew};
    enum lb_err rc =
        catalog_put_object(put->world->ingest.holder, db, &draft, err);

    put->entry.kind = ENTRY_CONFIG;
    return rc == LB_OK
               ? cursor_append(put->world->ingest.cursor, db, &put->entry, err)
               : rc;
}

void rule_world_put(struct rule_world *world,
                    const char *id,
                    const char *json,
                    bool begins_anew)
{
    struct put put = {world, id, json, begins_anew, {0}};

    rule_world_flush(world);
    assert_int_equal(ingest_world_run(&world->ingest, run_put, &put), LB_OK);
}

static struct rule_world_entry *
add(struct rule_world *world, enum entry_kind kind, int64_t at_ms)
{
    struct rule_world_entry *one;

    if (world->batch_count == RULE_WORLD_BATCH) {
        rule_world_flush(world);
    }
    one = &world->batch[world->batch_count++];
    memset(one, 0, sizeof(*one));
    one->entry.kind = kind;
    one->entry.received_at_ms = at_ms;
    one->entry.ts_at_ms = at_ms;
    return one;
}

static enum lb_err list_unready(void *ctx, struct db *db, struct lb_error *err)
{
    struct rule_world *world = ctx;
    struct engine_lessons lessons;
    int64_t at_ms = world->batch[0].entry.received_at_ms;
    enum lb_err rc = engine_refresh(world->engine, db, err);

    world->batch_count = 0;
    rc =
        rc == LB_OK ? engine_get_lessons(world->engine, db, &lessons, err) : rc;
    for (size_t i = 0; rc == LB_OK && i < lessons.rule_count; i++) {
        struct rule_world_entry *one = add(world, ENTRY_RULE_READY, at_ms);

        (void)snprintf(one->data, sizeof(one->data), "{\"rule\":%lld}",
                       (long long)lessons.rules[i]);
    }
    if (rc == LB_OK) {
        free(lessons.rules);
        catalog_unref(lessons.catalog);
    }
    return rc;
}

void rule_world_ready(struct rule_world *world, int64_t at_ms)
{
    rule_world_flush(world);
    (void)add(world, ENTRY_RULE_READY, at_ms);
    assert_int_equal(ingest_world_run(&world->ingest, list_unready, world),
                     LB_OK);
    rule_world_flush(world);
}

struct entry *rule_world_event(struct rule_world *world,
                               enum entry_type type,
                               int64_t site,
                               int64_t at_ms)
{
    struct rule_world_entry *one = add(world, ENTRY_EVENT, at_ms);

    (void)snprintf(one->id, sizeof(one->id), "e%lld",
                   (long long)++world->events);
    one->entry.text[ENTRY_TEXT_ID] = one->id;
    one->entry.site = site;
    one->entry.type = type;
    one->entry.visitor = world->events;
    one->entry.visitor_day = 20781;
    one->entry.id_hash = (uint64_t)world->events;
    return &one->entry;
}

void rule_world_tick(struct rule_world *world, int64_t at_ms)
{
    (void)add(world, ENTRY_TICK, at_ms);
}

void rule_world_coverage(struct rule_world *world,
                         int64_t site,
                         int64_t from_ms,
                         int64_t to_ms,
                         int64_t at_ms)
{
    struct rule_world_entry *one = add(world, ENTRY_COVERAGE, at_ms);
    const struct coverage_span span = {site, from_ms, to_ms,
                                       COVERAGE_TRUNCATED};
    struct coverage_entry filled;

    coverage_fill(&filled, &span, at_ms);
    memcpy(one->data, filled.data, sizeof(one->data));
}

void rule_world_pull(struct rule_world *world, const char *data, int64_t at_ms)
{
    struct rule_world_entry *one = add(world, ENTRY_PULL, at_ms);

    (void)snprintf(one->data, sizeof(one->data), "%s", data);
}

void rule_world_other(struct rule_world *world, int64_t at_ms)
{
    (void)add(world, ENTRY_ENGAGEMENT, at_ms);
}

void rule_world_start(struct rule_world *world,
                      int64_t down_from_ms,
                      int64_t at_ms)
{
    struct rule_world_entry *one = add(world, ENTRY_START, at_ms);

    (void)snprintf(one->data, sizeof(one->data), "{\"down_from\":%lld}",
                   (long long)down_from_ms);
}

void rule_world_set_back(struct rule_world *world,
                         int64_t from_ms,
                         int64_t at_ms)
{
    struct rule_world_entry *one = add(world, ENTRY_CLOCK_BACK, at_ms);

    (void)snprintf(one->data, sizeof(one->data), "{\"from\":%lld}",
                   (long long)from_ms);
}

static enum lb_err run_append(void *ctx, struct db *db, struct lb_error *err)
{
    struct rule_world *world = ctx;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < world->batch_count && rc == LB_OK; i++) {
        struct rule_world_entry *one = &world->batch[i];
        struct entry *entry = &one->entry;

        entry->data = one->data[0] == '\0' ? NULL : one->data;
        rc = dict_intern(world->ingest.dict, db, ENTRY_DICT_LINK,
                         entry->text[ENTRY_TEXT_LINK],
                         &entry->dict[ENTRY_DICT_LINK], err);
        rc = rc == LB_OK ? cursor_append(world->ingest.cursor, db, entry, err)
                         : rc;
    }
    return rc;
}

void rule_world_flush(struct rule_world *world)
{
    if (world->batch_count > 0) {
        assert_int_equal(ingest_world_run(&world->ingest, run_append, world),
                         LB_OK);
        world->batch_count = 0;
    }
}

static enum lb_err run_restart(void *ctx, struct db *db, struct lb_error *err)
{
    struct rule_world *world = ctx;

    (void)err;
    engine_free(world->engine);
    make_engine(world, db);
    return LB_OK;
}

void rule_world_restart(struct rule_world *world)
{
    rule_world_flush(world);
    assert_int_equal(ingest_world_run(&world->ingest, run_restart, world),
                     LB_OK);
}

/* --- what was raised
 * ------------------------------------------------------------------------ */

static void copy(char *out, size_t out_bytes, const char *text)
{
    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

static int64_t time_of(const cJSON *window, const char *key)
{
    const char *text = lb_json_text(window, key);
    int64_t at_ms = 0;

    return text != NULL && lb_zone_parse_instant(text, &at_ms) ? at_ms : 0;
}

static void read_alert(struct rule_world_alert *alert, sqlite3_stmt *stmt)
{
    cJSON *data = cJSON_Parse((const char *)sqlite3_column_text(stmt, 7));
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(data, "value");
    struct lb_buf group;

    lb_buf_init(&group, 4096);
    lb_json_add_item(&group, cJSON_GetObjectItemCaseSensitive(data, "group"));
    copy(alert->id, sizeof(alert->id),
         (const char *)sqlite3_column_text(stmt, 0));
    copy(alert->rule, sizeof(alert->rule),
         (const char *)sqlite3_column_text(stmt, 1));
    copy(alert->site, sizeof(alert->site),
         (const char *)sqlite3_column_text(stmt, 2));
    copy(alert->state, sizeof(alert->state),
         (const char *)sqlite3_column_text(stmt, 3));
    copy(alert->held_back, sizeof(alert->held_back),
         (const char *)sqlite3_column_text(stmt, 4));
    copy(alert->group, sizeof(alert->group), lb_buf_text(&group));
    copy(alert->event, sizeof(alert->event),
         lb_json_text(cJSON_GetObjectItemCaseSensitive(data, "event"), "id"));
    alert->fired_at_ms = sqlite3_column_int64(stmt, 5);
    alert->resolved_at_ms = sqlite3_column_int64(stmt, 6);
    alert->value = cJSON_IsNumber(value) ? value->valuedouble : 0;
    alert->window_from_ms =
        time_of(cJSON_GetObjectItemCaseSensitive(data, "window"), "from");
    alert->window_to_ms =
        time_of(cJSON_GetObjectItemCaseSensitive(data, "window"), "to");
    lb_buf_deinit(&group);
    cJSON_Delete(data);
}

static enum lb_err run_read(void *ctx, struct db *db, struct lb_error *err)
{
    struct rule_world *world = ctx;
    sqlite3_stmt *stmt = NULL;

    world->alert_count = 0;
    if (sqlite3_prepare_v2(
            db_handle(db),
            "SELECT id, rule, site, state, held_back, fired, resolved, data "
            "FROM alerts ORDER BY number",
            -1, &stmt, NULL) != SQLITE_OK) {
        return db_error(db, "read alerts", err);
    }
    while (sqlite3_step(stmt) == SQLITE_ROW &&
           world->alert_count < RULE_WORLD_ALERTS) {
        read_alert(&world->alerts[world->alert_count++], stmt);
    }
    return sqlite3_finalize(stmt) == SQLITE_OK ? LB_OK : LB_EINTERNAL;
}

void rule_world_read(struct rule_world *world)
{
    rule_world_flush(world);
    assert_int_equal(ingest_world_run(&world->ingest, run_read, world), LB_OK);
}

size_t rule_world_count(const struct rule_world *world,
                        const char *rule,
                        const char *held_back)
{
    size_t count = 0;

    for (size_t i = 0; i < world->alert_count; i++) {
        const struct rule_world_alert *alert = &world->alerts[i];

        count += strcmp(alert->rule, rule) == 0 &&
                         strcmp(alert->held_back,
                                held_back == NULL ? "" : held_back) == 0
                     ? 1
                     : 0;
    }
    return count;
}

struct statement {
    const char *text;
};

static enum lb_err run_sql(void *ctx, struct db *db, struct lb_error *err)
{
    const struct statement *statement = ctx;

    (void)err;
    sql(db, statement->text);
    return LB_OK;
}

void rule_world_sql(struct rule_world *world, const char *text)
{
    struct statement statement = {text};

    rule_world_flush(world);
    assert_int_equal(ingest_world_run(&world->ingest, run_sql, &statement),
                     LB_OK);
}

struct question {
    const char *sql;
    char *out;
    size_t out_bytes;
};

static enum lb_err run_ask(void *ctx, struct db *db, struct lb_error *err)
{
    const struct question *question = ctx;
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db_handle(db), question->sql, -1, &stmt, NULL) !=
        SQLITE_OK) {
        return db_error(db, "ask", err);
    }
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        copy(question->out, question->out_bytes,
             (const char *)sqlite3_column_text(stmt, 0));
    }
    return sqlite3_finalize(stmt) == SQLITE_OK ? LB_OK : LB_EINTERNAL;
}

void rule_world_ask(struct rule_world *world,
                    const char *text,
                    char *out,
                    size_t out_bytes)
{
    struct question question = {text, out, out_bytes};

    out[0] = '\0';
    rule_world_flush(world);
    assert_int_equal(ingest_world_run(&world->ingest, run_ask, &question),
                     LB_OK);
}
