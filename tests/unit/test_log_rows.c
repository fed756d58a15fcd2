/* test_log_rows.c - events that are not sealed: packs of them, read, changed,
 * and made of the rows of before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/log_rows.h"
#include "tests/support/temp_dir.h"

#define EVENTS 200
#define VERSION_BEFORE 23 /* migrations up to 0022; there are two of 0009 */
#define PATH_BYTES (TEMP_DIR_BYTES + 32)

static int open_world(void **state)
{
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;

    enum lb_err rc = db_open(":memory:", DB_WRITER, &db, &err);

    srand(23);
    *state = db;
    return rc != LB_OK;
}

static int close_world(void **state)
{
    db_close(*state);
    return 0;
}

static void check(enum lb_err rc, const struct lb_error *err)
{
    if (rc != LB_OK) {
        fail_msg("%s", err->text);
    }
}

static int64_t number(struct db *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value;

    assert_int_equal(sqlite3_prepare_v2(db_handle(db), sql, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return value;
}

static const char *const words[] = {NULL, "", "a", "alice.bio",
                                    "caf\xc3\xa9 \"x\"; --"};

static int64_t any_number(void)
{
    static const int64_t numbers[] = {
        0, 1, 127, 128, 20000, 1700000000000, INT64_MAX};

    return numbers[rand() % 7];
}

/* Everything about it by chance, extremes among it. */
static struct entry any_event(int64_t seq)
{
    struct entry event;

    memset(&event, 0, sizeof(event));
    event.seq = seq;
    event.site = 1 + rand() % 3;
    event.ts_at_ms = rand() % 9 == 0 ? -any_number() : any_number();
    event.received_at_ms = event.ts_at_ms / 2 + rand();
    entry_set_bits(&event, rand() % 1024);
    event.id_hash = (uint64_t)rand() * UINT64_C(0x9e3779b97f4a7c15);
    if (rand() % 2 == 0) {
        event.visitor = 1 + rand();
        event.visitor_day = rand() % 40000 - 10000;
    }
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        event.dict[i] = any_number();
    }
    event.has_amount = rand() % 3 == 0;
    event.amount_hundredths = event.has_amount ? -any_number() : 0;
    event.bot_entry = (uint32_t)any_number();
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        event.text[i] =
            (LOG_PACK_TEXTS >> i & 1) != 0 ? words[rand() % 5] : NULL;
    }
    return event;
}

static void check_same(const struct entry *got, const struct entry *want)
{
    struct entry a = *got;
    struct entry b = *want;

    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        assert_int_equal(a.text[i] == NULL, b.text[i] == NULL);
        if (a.text[i] != NULL) {
            assert_string_equal(a.text[i], b.text[i]);
        }
    }
    memset(a.text, 0, sizeof(a.text));
    memset(b.text, 0, sizeof(b.text));
    assert_memory_equal(&a, &b, sizeof(a));
}

static void put(struct db *db, const struct entry *events, size_t count)
{
    const struct entry *entries[EVENTS];
    struct lb_error err = {LB_OK, ""};

    for (size_t i = 0; i < count; i++) {
        entries[i] = &events[i];
    }
    check(log_rows_put(db, entries, count, &err), &err);
}

/* That the events of the range are these, all of them. */
static void check_range(struct db *db,
                        int64_t after_seq,
                        int64_t upto_seq,
                        const struct entry *want,
                        size_t count)
{
    struct lb_error err = {LB_OK, ""};
    struct log_rows rows;
    struct entry got;
    bool has_one = true;
    size_t i = 0;

    log_rows_open(db, after_seq, upto_seq, true, &rows);
    for (;;) {
        check(log_rows_next(&rows, &got, &has_one, &err), &err);
        if (!has_one) {
            break;
        }
        assert_true(i < count);
        check_same(&got, &want[i++]);
    }
    assert_int_equal(i, count);
    log_rows_close(&rows);
}

static void fill(struct db *db, struct entry events[EVENTS], size_t at_a_time)
{
    for (size_t i = 0; i < EVENTS; i++) {
        events[i] = any_event(10 + 3 * (int64_t)i);
    }
    for (size_t i = 0; i < EVENTS; i += at_a_time) {
        put(db, &events[i], at_a_time);
    }
}

static void events_come_back_as_they_were(void **state)
{
    static struct entry events[EVENTS];

    for (size_t at_a_time = 1; at_a_time <= EVENTS; at_a_time *= EVENTS) {
        fill(*state, events, at_a_time);
        check_range(*state, 0, INT64_MAX, events, EVENTS);
        check_range(*state, 9, events[EVENTS - 1].seq, events, EVENTS);
        check_range(*state, 100, 200, &events[31], 33);
        check_range(*state, events[EVENTS - 1].seq, INT64_MAX, NULL, 0);
        check_range(*state, 100, 100, NULL, 0);
        assert_int_equal(number(*state, "SELECT sum(count) FROM event_packs"),
                         EVENTS);
        assert_int_equal(sqlite3_exec(db_handle(*state),
                                      "DELETE FROM event_packs", NULL, NULL,
                                      NULL),
                         SQLITE_OK);
    }
}

static void a_pack_takes_a_page_unless_an_event_is_larger(void **state)
{
    static struct entry events[EVENTS];
    static char long_text[20000];
    struct entry large = any_event(10000);

    fill(*state, events, EVENTS);
    assert_true(number(*state, "SELECT max(length(body)) FROM event_packs") <=
                4040);
    assert_true(number(*state, "SELECT min(length(body)) FROM event_packs "
                               "WHERE upto < (SELECT max(upto) FROM "
                               "event_packs)") > 3500);
    assert_int_equal(number(*state, "SELECT count(*) FROM dbstat WHERE name = "
                                    "'event_packs' AND pagetype = 'overflow'"),
                     0);
    memset(long_text, 'x', sizeof(long_text) - 1);
    large.text[ENTRY_TEXT_PROPS] = long_text;
    put(*state, &large, 1);
    check_range(*state, 9999, INT64_MAX, &large, 1);
}

static void numbers_alone_bring_no_texts(void **state)
{
    static struct entry events[EVENTS];
    struct lb_error err = {LB_OK, ""};
    struct log_rows rows;
    struct entry got;
    bool has_one = true;

    fill(*state, events, EVENTS);
    log_rows_open(*state, 0, INT64_MAX, false, &rows);
    for (size_t i = 0; i < EVENTS; i++) {
        struct entry want = events[i];

        memset(want.text, 0, sizeof(want.text));
        want.bot_entry = 0;
        check(log_rows_next(&rows, &got, &has_one, &err), &err);
        assert_true(has_one);
        check_same(&got, &want);
    }
    log_rows_close(&rows);
}

/* Of every third event; and one that becomes another. */
static enum log_rows_fate decide(void *ctx, struct entry *event)
{
    int *seen = ctx;

    ++*seen;
    if (event->seq % 9 == 1) {
        return LOG_ROWS_GONE;
    }
    if (event->seq == 13) {
        event->dict[ENTRY_DICT_REASON] = 77;
        return LOG_ROWS_CHANGED;
    }
    return LOG_ROWS_KEPT;
}

static void packs_are_written_anew(void **state)
{
    static struct entry events[EVENTS];
    struct lb_error err = {LB_OK, ""};
    int seen = 0;
    const struct log_rows_edit edit = {&seen, decide};
    int64_t upto_seq = 0;
    size_t left = 0;

    fill(*state, events, EVENTS);
    while (upto_seq != INT64_MAX) {
        check(log_rows_change(*state, upto_seq, &edit, &upto_seq, &err), &err);
    }
    assert_int_equal(seen, EVENTS);
    for (size_t i = 0; i < EVENTS; i++) {
        if (events[i].seq == 13) {
            events[i].dict[ENTRY_DICT_REASON] = 77;
        }
        if (events[i].seq % 9 != 1) {
            events[left++] = events[i];
        }
    }
    assert_true(left < EVENTS);
    check_range(*state, 0, INT64_MAX, events, left);
    assert_int_equal(number(*state, "SELECT sum(count) FROM event_packs"),
                     left);
}

static enum log_rows_fate drop(void *ctx, struct entry *event)
{
    (void)ctx;
    (void)event;
    return LOG_ROWS_GONE;
}

static void a_pack_without_events_is_gone(void **state)
{
    struct entry events[2] = {any_event(5), any_event(6)};
    const struct log_rows_edit edit = {NULL, drop};
    struct lb_error err = {LB_OK, ""};
    int64_t upto_seq = 0;

    put(*state, &events[0], 1);
    put(*state, &events[1], 1);
    check(log_rows_change(*state, 4, &edit, &upto_seq, &err), &err);
    assert_int_equal(upto_seq, 5);
    check_range(*state, 0, INT64_MAX, &events[1], 1);
    assert_int_equal(number(*state, "SELECT count(*) FROM event_packs"), 1);
}

static void a_pack_is_cut_where_segments_end(void **state)
{
    static struct entry events[EVENTS];
    struct lb_error err = {LB_OK, ""};

    fill(*state, events, EVENTS);
    for (size_t i = 0; i < EVENTS; i += 7) {
        int64_t upto_seq = events[i].seq + rand() % 3;
        char sql[128];

        check(log_rows_cut(*state, upto_seq, &err), &err);
        check_range(*state, upto_seq, INT64_MAX, &events[i + 1],
                    EVENTS - i - 1);
        (void)snprintf(sql, sizeof(sql),
                       "SELECT coalesce(sum(count), 0) FROM event_packs WHERE "
                       "upto > %lld",
                       (long long)upto_seq);
        assert_int_equal(number(*state, sql), EVENTS - i - 1);
    }
}

/* Reads a pack of these bytes to its end; false: it is damaged. */
static bool read_pack(const void *bytes, size_t len)
{
    struct log_pack_place place;
    struct entry event;
    enum lb_err rc = log_pack_open(bytes, len, &place);

    while (rc == LB_OK && log_pack_has_next(&place)) {
        rc = log_pack_next(&place, true, &event);
    }
    return rc == LB_OK;
}

static void damaged_packs_are_told(void **state)
{
    struct entry event = any_event(5);
    struct log_pack pack;
    unsigned char *bytes;

    (void)state;
    event.text[ENTRY_TEXT_ID] = "an id";
    event.visitor = 3;
    log_pack_init(&pack);
    log_pack_add(&pack, &event);
    assert_true(read_pack(pack.body.data, pack.body.len));
    for (size_t len = 0; len < pack.body.len; len++) {
        bytes = malloc(len + 1); /* what is read behind it is found */
        memcpy(bytes, pack.body.data, len);
        assert_int_equal(read_pack(bytes, len), len == 1);
        free(bytes);
    }
    for (size_t i = 0; i < pack.body.len * 8; i++) {
        bytes = malloc(pack.body.len);
        memcpy(bytes, pack.body.data, pack.body.len);
        bytes[i / 8] ^= (unsigned char)(1U << i % 8);
        (void)read_pack(bytes, pack.body.len);
        free(bytes);
    }
    log_pack_deinit(&pack);
}

static void run_sql(struct db *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db_handle(db), sql, NULL, NULL, NULL),
                     SQLITE_OK);
}

static enum log_rows_fate keep(void *ctx, struct entry *event)
{
    (void)ctx;
    (void)event;
    return LOG_ROWS_CHANGED;
}

/* A pack that is not what its row says ends no reading as if it were the end,
 * and is not written anew without what could not be read. */
static void damaged_rows_are_told(void **state)
{
    static const char *const damages[] = {
        "UPDATE event_packs SET body = x'0102'",
        "UPDATE event_packs SET body = x'01'",
        "UPDATE event_packs SET body = x''",
        "UPDATE event_packs SET count = count + 1",
        "UPDATE event_packs SET count = count - 1",
        "UPDATE event_packs SET upto = 5",
        /* the first event again, behind the last */
        "UPDATE event_packs SET count = 3, body = (SELECT CAST(body || "
        "substr(body, 2) AS BLOB) FROM event_packs)",
        "UPDATE event_packs SET upto = 900, count = 3, body = (SELECT "
        "CAST(body || x'00' || substr(body, 3) AS BLOB) FROM event_packs)"};
    const struct log_rows_edit edit = {NULL, keep};

    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        struct lb_error err = {LB_OK, ""};
        struct entry events[2] = {any_event(5), any_event(6)};
        struct log_rows rows;
        struct entry got;
        bool has_one = true;
        int64_t upto_seq = 0;
        enum lb_err rc = LB_OK;

        run_sql(*state, "DELETE FROM event_packs");
        put(*state, events, 2);
        run_sql(*state, damages[i]);
        log_rows_open(*state, 0, INT64_MAX, true, &rows);
        while (has_one && rc == LB_OK) {
            rc = log_rows_next(&rows, &got, &has_one, &err);
        }
        assert_int_equal(rc, LB_EFORMAT);
        assert_non_null(strstr(err.text, "damaged; restore a backup"));
        log_rows_close(&rows);
        assert_int_equal(log_rows_change(*state, 0, &edit, &upto_seq, &err),
                         LB_EFORMAT);
    }
}

static void a_log_number_is_written_once(void **state)
{
    const struct entry event = any_event(5);
    const struct entry *const entries[] = {&event};
    struct lb_error err = {LB_OK, ""};

    put(*state, &event, 1);
    assert_int_not_equal(log_rows_put(*state, entries, 1, &err), LB_OK);
    check_range(*state, 0, INT64_MAX, &event, 1);
}

/* A database as it was before 0023_event_packs. */
static void make_before(const char *path, const char *rows)
{
    sqlite3 *handle = NULL;
    char version[96];

    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    (void)snprintf(version, sizeof(version),
                   "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA application_id=%d",
                   DB_APPLICATION_ID);
    assert_int_equal(sqlite3_exec(handle, version, NULL, NULL, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < VERSION_BEFORE; i++) {
        assert_int_equal(
            sqlite3_exec(handle, sql_migrations[i].text, NULL, NULL, NULL),
            SQLITE_OK);
    }
    assert_string_equal(sql_migrations[VERSION_BEFORE].name,
                        "0023_event_packs");
    (void)snprintf(version, sizeof(version), "PRAGMA user_version=%d",
                   VERSION_BEFORE);
    assert_int_equal(sqlite3_exec(handle, version, NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, rows, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void rows_of_before_become_packs(void **state)
{
    char dir[TEMP_DIR_BYTES];
    char path[PATH_BYTES];
    struct lb_error err = {LB_OK, ""};
    struct db *db = NULL;
    struct entry want[2];

    (void)state;
    temp_dir_make(dir);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, DB_FILE_NAME);
    make_before(
        path,
        "INSERT INTO events (seq, site, ts, received, bits, id_hash, id) "
        "VALUES (4, 1, 1000, 1005, 1, -7, 'e4');"
        "INSERT INTO events VALUES (9, 2, 1700000000000, 1700000000050, 515, "
        "12, 19675, 41, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1250, 'EUR', 'e9', 'form', "
        "'alice.bio', '/shop', 'https://a.example/', 't', 'c', 'gclid', '{}', "
        "4294967295)");
    memset(want, 0, sizeof(want));
    want[0] = (struct entry){.seq = 4,
                             .site = 1,
                             .ts_at_ms = 1000,
                             .received_at_ms = 1005,
                             .type = ENTRY_CLICK,
                             .id_hash = (uint64_t)-7,
                             .text[ENTRY_TEXT_ID] = "e4"};
    want[1] = (struct entry){.seq = 9,
                             .site = 2,
                             .ts_at_ms = 1700000000000,
                             .received_at_ms = 1700000000050,
                             .type = ENTRY_CONVERSION,
                             .is_passive = true,
                             .id_hash = 12,
                             .visitor_day = 19675,
                             .visitor = 41,
                             .dict = {1, 2, 3, 4, 5, 6, 7, 8, 9},
                             .has_amount = true,
                             .amount_hundredths = -1250,
                             .bot_entry = UINT32_MAX,
                             .text[ENTRY_TEXT_CURRENCY] = "EUR",
                             .text[ENTRY_TEXT_ID] = "e9",
                             .text[ENTRY_TEXT_NAME] = "form",
                             .text[ENTRY_TEXT_HOST] = "alice.bio",
                             .text[ENTRY_TEXT_PAGE] = "/shop",
                             .text[ENTRY_TEXT_REFERRER] = "https://a.example/",
                             .text[ENTRY_TEXT_UTM_TERM] = "t",
                             .text[ENTRY_TEXT_UTM_CONTENT] = "c",
                             .text[ENTRY_TEXT_CLICK_ID] = "gclid",
                             .text[ENTRY_TEXT_PROPS] = "{}"};
    check(db_open(dir, DB_WRITER, &db, &err), &err);
    check_range(db, 0, INT64_MAX, want, 2);
    assert_int_equal(number(db, "SELECT max(received) FROM event_packs"),
                     1700000000050);
    assert_int_equal(number(db, "SELECT count(*) FROM sqlite_master WHERE name "
                                "= 'events'"),
                     0);
    db_close(db);
    temp_dir_remove(dir);
}

#define WITH_WORLD(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WORLD(events_come_back_as_they_were),
        WITH_WORLD(a_pack_takes_a_page_unless_an_event_is_larger),
        WITH_WORLD(numbers_alone_bring_no_texts),
        WITH_WORLD(packs_are_written_anew),
        WITH_WORLD(a_pack_without_events_is_gone),
        WITH_WORLD(a_pack_is_cut_where_segments_end),
        cmocka_unit_test(damaged_packs_are_told),
        WITH_WORLD(damaged_rows_are_told),
        WITH_WORLD(a_log_number_is_written_once),
        cmocka_unit_test(rows_of_before_become_packs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
