/* test_event_store.c - appending on the writer's thread: duplicates, and memory
 * that follows commits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/answer_store.h"
#include "ingest/event_store.h"
#include "ingest/import_store.h"
#include "sql/log_store.h"
#include "tests/support/ingest_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS
#define EVENTS 16
#define VIEW(id)                                                               \
    "{\"type\":\"view\",\"site\":\"alice.bio\",\"visitor\":\"v\",\"id\":\"" id \
    "\""
#define CLICK(id)                                                              \
    "{\"type\":\"click\",\"site\":\"alice.bio\",\"visitor\":\"v\",\"id\":"     \
    "\"" id "\",\"link\":\"shop\""

/* A request: its events in an arena of their own, appended by one job. */
struct request {
    struct ingest_world *world;
    struct lb_arena *arena;
    struct event *events[EVENTS];
    bool is_duplicate[EVENTS];
    size_t count;
    struct import_store *import; /* NULL: live */
    bool is_failing;             /* after the append */
};

static void request_init(struct request *request, struct ingest_world *world)
{
    memset(request, 0, sizeof(*request));
    request->world = world;
    request->arena = lb_arena_new((size_t)1 << 20);
    assert_non_null(request->arena);
}

static void request_deinit(struct request *request)
{
    lb_arena_free(request->arena);
}

static void request_add(struct request *request, const char *text)
{
    struct event_context context;
    struct lb_json_fault json_fault;
    struct event_fault fault;
    struct event *event = lb_arena_calloc(request->arena, sizeof(struct event));
    cJSON *json = NULL;

    assert_true(request->count < EVENTS);
    ingest_world_context(request->world, &context);
    if (request->import != NULL) {
        context.import = "one";
        context.is_any_age = true;
        context.is_silent = true;
    }
    assert_int_equal(lb_json_parse(text, strlen(text), 32, request->arena,
                                   &json, &json_fault),
                     LB_OK);
    if (!event_read(&context, json, request->arena, event, &fault)) {
        fail_msg("%s: %s", text, fault.message);
    }
    request->events[request->count++] = event;
}

static enum lb_err append(void *ctx, struct db *db, struct lb_error *err)
{
    struct request *request = ctx;
    const struct event_batch batch = {request->events, request->is_duplicate,
                                      request->count, request->import};
    enum lb_err rc = event_store_append(request->world->store, db, &batch, err);

    return rc == LB_OK && request->is_failing
               ? lb_err_set(err, LB_EINTERNAL, "on purpose")
               : rc;
}

/* One event in a request of its own; true when it was a duplicate. */
static bool
send_one(struct ingest_world *world, const char *text, struct entry *entry_out)
{
    struct request request;
    bool is_duplicate;

    request_init(&request, world);
    request_add(&request, text);
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    is_duplicate = request.is_duplicate[0];
    if (entry_out != NULL) {
        *entry_out = request.events[0]->entry;
        memset(entry_out->text, 0, sizeof(entry_out->text));
    }
    request_deinit(&request);
    return is_duplicate;
}

/* What the log holds of one event, as a line. */
struct listing {
    char lines[EVENTS][160];
    size_t count;
};

static enum lb_err list(void *ctx, struct db *db, struct lb_error *err)
{
    struct log_range range = {.upto_seq = INT64_MAX,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct listing *listing = ctx;
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = log_reader_open(db, cache, &range, &reader, err);

    listing->count = 0;
    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        assert_true(listing->count < EVENTS);
        (void)snprintf(
            listing->lines[listing->count++], sizeof(listing->lines[0]),
            "%s %s source=%s term=%s visitor=%d%s%s%s",
            entry_type_name(entry->type), entry->text[ENTRY_TEXT_ID],
            entry->text[ENTRY_TEXT_SOURCE],
            entry->text[ENTRY_TEXT_UTM_TERM] == NULL
                ? "-"
                : entry->text[ENTRY_TEXT_UTM_TERM],
            (int)entry->visitor, entry->is_visit_start ? " start" : "",
            entry->is_orphan ? " orphan" : "",
            entry->is_double_tap ? " tap" : "");
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static void assert_log(struct ingest_world *world, const char *const *wanted)
{
    struct listing listing;
    size_t i = 0;

    assert_int_equal(ingest_world_run(world, list, &listing), LB_OK);
    for (i = 0; wanted[i] != NULL && i < listing.count; i++) {
        assert_string_equal(listing.lines[i], wanted[i]);
    }
    assert_int_equal(listing.count, i);
    assert_null(wanted[i]);
}

static int set_up(void **state)
{
    struct ingest_world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    lb_clock_fake_wall(NOW_MS);
    ingest_world_open(world, ":memory:");
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    ingest_world_close(*state);
    free(*state);
    lb_clock_fake_wall(-1);
    return 0;
}

static void a_repeat_within_a_request_and_after_it_is_a_duplicate(void **state)
{
    struct ingest_world *world = *state;
    struct request request;
    static const char *const wanted[] = {
        "view a source=Direct / None term=- visitor=1 start",
        "view b source=Direct / None term=- visitor=1", NULL};

    request_init(&request, world);
    request_add(&request, VIEW("a") "}");
    request_add(&request, VIEW("b") "}");
    request_add(&request, VIEW("a") "}");
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    assert_false(request.is_duplicate[0]);
    assert_false(request.is_duplicate[1]);
    assert_true(request.is_duplicate[2]);
    request_deinit(&request);
    assert_true(send_one(world, VIEW("b") "}", NULL));
    assert_log(world, wanted);
}

/* After a full disk the client repeats; it must not be told "duplicate". */
static void a_request_that_failed_is_taken_when_it_is_repeated(void **state)
{
    struct ingest_world *world = *state;
    struct request request;
    static const char *const wanted[] = {
        "view a source=news term=Ab visitor=1 start",
        "click c source=news term=Ab visitor=1", NULL};

    request_init(&request, world);
    request_add(&request,
                VIEW("a") ",\"utm\":{\"source\":\"news\",\"term\":\"Ab\"}}");
    request_add(&request, CLICK("c") "}");
    request.is_failing = true;
    assert_int_equal(ingest_world_run(world, append, &request), LB_EINTERNAL);
    request_deinit(&request);
    request_init(&request, world);
    request_add(&request,
                VIEW("a") ",\"utm\":{\"source\":\"news\",\"term\":\"Ab\"}}");
    request_add(&request, CLICK("c") "}");
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    assert_false(request.is_duplicate[0]);
    assert_false(request.is_duplicate[1]);
    request_deinit(&request);
    assert_log(world, wanted);
}

struct append_job {
    struct writer_job job; /* first */
    struct request request;
    enum lb_err rc;
};

static enum lb_err
run_append_job(struct writer_job *job, struct db *db, struct lb_error *err)
{
    return append(&((struct append_job *)(void *)job)->request, db, err);
}

static void done_append_job(struct writer_job *job,
                            enum lb_err rc,
                            const struct lb_error *err)
{
    (void)err;
    ((struct append_job *)(void *)job)->rc = rc;
}

static void queue(struct ingest_world *world, struct append_job *job)
{
    job->job = (struct writer_job){.run = run_append_job,
                                   .done = done_append_job,
                                   .event_count = job->request.count,
                                   .bytes = 100,
                                   .is_append = true};
    assert_int_equal(writer_submit(world->writer, &job->job), LB_OK);
}

/* Requests gather while the writer works; the fault of one is not another's. */
static void one_bad_job_of_a_group_harms_no_other(void **state)
{
    struct ingest_world *world = *state;
    struct append_job first = {.rc = LB_EINTERNAL};
    struct append_job second = {.rc = LB_OK};
    struct append_job third = {.rc = LB_EINTERNAL};
    struct lb_error err;
    static const char *const wanted[] = {
        "view a source=news term=Ab visitor=1 start",
        "click c source=news term=Ab visitor=1",
        "click e source=news term=Ab visitor=1 tap",
        "click w source=Direct / None term=- visitor=2 start orphan", NULL};

    request_init(&first.request, world);
    request_add(&first.request,
                VIEW("a") ",\"utm\":{\"source\":\"news\",\"term\":\"Ab\"}}");
    request_add(&first.request, CLICK("c") "}");
    request_init(&second.request, world);
    request_add(&second.request,
                VIEW("d") ",\"utm\":{\"source\":\"gone\",\"term\":\"Cd\"}}");
    request_add(&second.request,
                "{\"type\":\"view\",\"site\":\"alice.bio\",\"visitor\":\"w\","
                "\"utm\":{\"source\":\"gone\",\"term\":\"Cd\"}}");
    request_add(&second.request,
                "{\"type\":\"click\",\"site\":\"alice.bio\",\"visitor\":\"w\","
                "\"link\":\"shop\"}");
    second.request.is_failing = true;
    request_init(&third.request, world);
    request_add(&third.request, CLICK("e") "}");
    request_add(&third.request,
                "{\"type\":\"click\",\"site\":\"alice.bio\",\"visitor\":\"w\","
                "\"id\":\"w\",\"link\":\"shop\"}");
    queue(world, &first);
    queue(world, &second);
    queue(world, &third);
    assert_int_equal(writer_start(world->writer, &err), LB_OK);
    world->is_started = true;
    assert_log(world, wanted);
    assert_int_equal(first.rc, LB_OK);
    assert_int_equal(second.rc, LB_EINTERNAL);
    assert_int_equal(third.rc, LB_OK);
    request_deinit(&first.request);
    request_deinit(&second.request);
    request_deinit(&third.request);
}

static void an_import_decides_by_itself(void **state)
{
    struct ingest_world *world = *state;
    struct import_ids ids = {.read_seq = 0};
    struct import_store *import = import_store_new(&ids, 10000);
    struct request request;
    struct entry live;

    assert_non_null(import);
    (void)send_one(world, VIEW("live") ",\"utm\":{\"source\":\"news\"}}", NULL);
    request_init(&request, world);
    request.import = import;
    request_add(&request,
                "{\"type\":\"click\",\"site\":\"alice.bio\",\"visitor\":\"v\","
                "\"id\":\"old\",\"link\":\"x\",\"ts\":1795510799000}");
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    assert_true(request.events[0]->entry.is_orphan);
    assert_true(request.events[0]->entry.is_silent);
    assert_int_equal(request.events[0]->entry.received_at_ms,
                     INT64_C(1795510799000));
    request_deinit(&request);
    (void)send_one(world, CLICK("c") "}", &live);
    assert_false(live.is_orphan);
    import_store_free(import);
    id_set_deinit(&ids.known);
}

struct reading {
    struct import_ids *ids;
    bool is_over;
};

static enum lb_err read_piece(void *ctx, struct db *db, struct lb_error *err)
{
    struct reading *reading = ctx;

    static const uint8_t key[16] = {1};

    return import_store_read_ids(reading->ids, db, key, &reading->is_over, err);
}

/* An import that knows the ids of the log. */
static struct import_store *begin_import(struct ingest_world *world)
{
    struct reading reading = {calloc(1, sizeof(struct import_ids)), false};
    struct import_store *import = import_store_new(reading.ids, 10000);

    assert_non_null(import);
    while (!reading.is_over) {
        assert_int_equal(ingest_world_run(world, read_piece, &reading), LB_OK);
    }
    return import;
}

static void end_import(struct import_store *import)
{
    id_set_deinit(&import->ids->known);
    free(import->ids);
    import_store_free(import);
}

static void an_import_skips_what_the_log_has_and_what_it_appended(void **state)
{
    static const bool wanted[] = {true, false, true, true};
    struct ingest_world *world = *state;
    struct import_store *import;
    struct request request;

    (void)send_one(world, VIEW("old") "}", NULL);
    import = begin_import(world);
    (void)send_one(world, VIEW("meanwhile") "}", NULL);
    request_init(&request, world);
    request.import = import;
    request_add(&request, VIEW("old") ",\"ts\":1500000000000}");
    request_add(&request, VIEW("new") ",\"ts\":1500000000000}");
    request_add(&request, VIEW("new") ",\"ts\":1500000000000}");
    request_add(&request, VIEW("meanwhile") ",\"ts\":1500000000000}");
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    for (size_t i = 0; i < request.count; i++) {
        assert_int_equal(request.is_duplicate[i], wanted[i]);
    }
    request_deinit(&request);
    end_import(import);
}

/* A view from a campaign, a click 1 s later, one more on the same link 1 s
 * later: a double tap that inherits. */
static void add_visit(struct request *request)
{
    request_add(request, VIEW("1") ",\"ts\":1500000000000,\"utm\":{"
                                   "\"source\":\"news\"}}");
    request_add(request, CLICK("2") ",\"ts\":1500000001000}");
    request_add(request, CLICK("3") ",\"ts\":1500000002000}");
}

static void an_import_cut_short_decides_as_if_it_were_whole(void **state)
{
    struct ingest_world *world = *state;
    const struct entry *last;
    struct request request;

    request_init(&request, world);
    request.import = begin_import(world);
    add_visit(&request);
    request.count = 2;
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    end_import(request.import);
    request_deinit(&request);
    request_init(&request, world);
    request.import = begin_import(world);
    add_visit(&request);
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    last = &request.events[2]->entry;
    assert_true(request.is_duplicate[0]);
    assert_true(request.is_duplicate[1]);
    assert_false(request.is_duplicate[2]);
    assert_int_equal(last->visitor, 1);
    assert_true(last->is_double_tap);
    assert_false(last->is_orphan);
    assert_string_equal(last->text[ENTRY_TEXT_UTM_SOURCE], "news");
    end_import(request.import);
    request_deinit(&request);
}

/* What an undone append decided is decided anew, from what the event said. */
static void a_burst_is_decided_at_append(void **state)
{
    static const char *const reasons[] = {NULL,    NULL, NULL, "burst",
                                          "burst", NULL, "ua"};
    struct ingest_world *world = *state;
    struct request request;

    event_store_set_burst(world->store, 3);
    request_init(&request, world);
    for (int i = 0; i < 5; i++) {
        char text[160];

        (void)snprintf(text, sizeof(text), VIEW("b%d") "}", i);
        request_add(&request, text);
    }
    request_add(&request, "{\"type\":\"view\",\"site\":\"alice.bio\","
                          "\"visitor\":\"w\"}");
    request_add(&request, "{\"type\":\"view\",\"site\":\"alice.bio\","
                          "\"visitor\":\"v\",\"user_agent\":\"curl/8\"}");
    request.is_failing = true;
    assert_int_equal(ingest_world_run(world, append, &request), LB_EINTERNAL);
    event_store_set_burst(world->store, 4);
    assert_int_equal(ingest_world_run(world, append, &request), LB_EINTERNAL);
    assert_int_equal(request.events[3]->entry.traffic, ENTRY_HUMAN);
    event_store_set_burst(world->store, 3);
    request.is_failing = false;
    assert_int_equal(ingest_world_run(world, append, &request), LB_OK);
    for (int i = 0; i < 7; i++) {
        const struct entry *entry = &request.events[i]->entry;

        assert_int_equal(entry->traffic,
                         reasons[i] == NULL ? ENTRY_HUMAN : ENTRY_BOT);
        if (reasons[i] != NULL) {
            assert_string_equal(entry->text[ENTRY_TEXT_REASON], reasons[i]);
        }
    }
    request_deinit(&request);
}

/* The latest event in the log, and its class. */
struct latest {
    enum entry_traffic traffic;
    char reason[16];
};

static enum lb_err find_latest(void *ctx, struct db *db, struct lb_error *err)
{
    struct log_range range = {.upto_seq = INT64_MAX,
                              .from_at_ms = INT64_MIN,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct dict_cache *cache = dict_cache_new();
    struct latest *latest = ctx;
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc = log_reader_open(db, cache, &range, &reader, err);

    while (rc == LB_OK &&
           (rc = log_reader_next(reader, &entry, err)) == LB_OK &&
           entry != NULL) {
        const char *reason = entry->text[ENTRY_TEXT_REASON];

        latest->traffic = entry->traffic;
        (void)snprintf(latest->reason, sizeof(latest->reason), "%s",
                       reason == NULL ? "" : reason);
    }
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}

static void assert_latest(struct ingest_world *world, const char *reason)
{
    struct latest latest = {ENTRY_HUMAN, ""};

    assert_int_equal(ingest_world_run(world, find_latest, &latest), LB_OK);
    assert_string_equal(latest.reason, reason);
    assert_int_equal(latest.traffic,
                     reason[0] == '\0' ? ENTRY_HUMAN : ENTRY_BOT);
}

struct keeping {
    struct answer answer;
    bool is_same;
    char *text;
    enum lb_err found;
};

static enum lb_err keep(void *ctx, struct db *db, struct lb_error *err)
{
    return answer_store_keep(db, &((struct keeping *)ctx)->answer, err);
}

static enum lb_err look(void *ctx, struct db *db, struct lb_error *err)
{
    struct keeping *keeping = ctx;

    keeping->found = answer_store_find(db, &keeping->answer, &keeping->is_same,
                                       &keeping->text, err);
    return LB_OK;
}

static void an_answer_is_kept_for_24_hours_for_its_token_and_body(void **state)
{
    struct ingest_world *world = *state;
    struct keeping keeping = {
        .answer = {"tk_1", "/v1/events", "key", {1}, 202, "{}"}};

    assert_int_equal(ingest_world_run(world, look, &keeping), LB_OK);
    assert_int_equal(keeping.found, LB_OK);
    assert_int_equal(ingest_world_run(world, keep, &keeping), LB_OK);
    keeping.answer.status = 0;
    assert_int_equal(ingest_world_run(world, look, &keeping), LB_OK);
    assert_int_equal(keeping.found, LB_EEXIST);
    assert_true(keeping.is_same);
    assert_int_equal(keeping.answer.status, 202);
    assert_string_equal(keeping.text, "{}");
    free(keeping.text);
    keeping.answer.body_hash[0] = 2;
    assert_int_equal(ingest_world_run(world, look, &keeping), LB_OK);
    assert_false(keeping.is_same);
    free(keeping.text);
    keeping.answer.token = "tk_2";
    assert_int_equal(ingest_world_run(world, look, &keeping), LB_OK);
    assert_int_equal(keeping.found, LB_OK);
    keeping.answer.token = "tk_1";
    lb_clock_fake_wall(NOW_MS + LB_MS_PER_DAY + 1);
    assert_int_equal(ingest_world_run(world, look, &keeping), LB_OK);
    assert_int_equal(keeping.found, LB_OK);
}

static void remove_dir(const char *dir)
{
    static const char *const names[] = {"linkbell.db", "linkbell.db-wal",
                                        "linkbell.db-shm", "linkbell.lock"};
    char path[128];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void a_restart_knows_ids_and_the_last_half_hour(void **state)
{
    char dir[] = "/tmp/linkbell-event-XXXXXX";
    struct ingest_world world;
    static const char *const wanted[] = {
        "view a source=news term=Ab visitor=1 start",
        "click c source=news term=Ab visitor=1",
        "click d source=news term=Ab visitor=1 tap",
        "click e source=Direct / None term=- visitor=1 start orphan", NULL};

    (void)state;
    assert_non_null(mkdtemp(dir));
    ingest_world_open(&world, dir);
    (void)send_one(&world,
                   VIEW("a") ",\"utm\":{\"source\":\"news\",\"term\":\"Ab\"}}",
                   NULL);
    (void)send_one(&world, CLICK("c") "}", NULL);
    ingest_world_close(&world);

    lb_clock_fake_wall(NOW_MS + 5000);
    ingest_world_open(&world, dir);
    assert_true(send_one(&world, VIEW("a") "}", NULL));
    assert_false(send_one(&world, CLICK("d") "}", NULL));
    ingest_world_close(&world);

    lb_clock_fake_wall(NOW_MS + LB_MS_PER_HOUR);
    ingest_world_open(&world, dir);
    assert_true(send_one(&world, CLICK("d") "}", NULL));
    assert_false(send_one(&world, CLICK("e") "}", NULL));
    assert_log(&world, wanted);
    ingest_world_close(&world);
    remove_dir(dir);
}

static void a_restart_knows_who_is_in_a_burst(void **state)
{
    char dir[] = "/tmp/linkbell-event-XXXXXX";
    struct ingest_world world;
    char text[160];

    (void)state;
    assert_non_null(mkdtemp(dir));
    ingest_world_open(&world, dir);
    for (int i = 0; i < INGEST_WORLD_BURST; i++) {
        (void)snprintf(text, sizeof(text), VIEW("b%d") "}", i);
        (void)send_one(&world, text, NULL);
    }
    assert_latest(&world, "");
    ingest_world_close(&world);

    ingest_world_open(&world, dir);
    (void)send_one(&world, VIEW("c") "}", NULL);
    assert_latest(&world, "burst");
    ingest_world_close(&world);

    lb_clock_fake_wall(NOW_MS + 10 * LB_MS_PER_MIN - 1);
    ingest_world_open(&world, dir);
    (void)send_one(&world, VIEW("d") "}", NULL);
    assert_latest(&world, "burst");
    ingest_world_close(&world);

    lb_clock_fake_wall(NOW_MS + 20 * LB_MS_PER_MIN - 1);
    ingest_world_open(&world, dir);
    (void)send_one(&world, VIEW("e") "}", NULL);
    assert_latest(&world, "");
    ingest_world_close(&world);
    remove_dir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_repeat_within_a_request_and_after_it_is_a_duplicate),
        TEST(a_request_that_failed_is_taken_when_it_is_repeated),
        TEST(one_bad_job_of_a_group_harms_no_other),
        TEST(a_burst_is_decided_at_append),
        TEST(an_import_decides_by_itself),
        TEST(an_import_skips_what_the_log_has_and_what_it_appended),
        TEST(an_import_cut_short_decides_as_if_it_were_whole),
        TEST(an_answer_is_kept_for_24_hours_for_its_token_and_body),
        TEST(a_restart_knows_ids_and_the_last_half_hour),
        TEST(a_restart_knows_who_is_in_a_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
