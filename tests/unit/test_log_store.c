/* test_log_store.c - what is written to the log is read back as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sql/log_store.h"

#define TEXT_BYTES 4096

struct world {
    struct db *db;
    struct dict_cache *cache;
    struct log_reader *reader;
};

static int open_world(void **state)
{
    static struct world world;
    struct lb_error err = {LB_OK, ""};

    memset(&world, 0, sizeof(world));
    *state = &world;
    world.cache = dict_cache_new();
    return world.cache == NULL ||
           db_open(":memory:", DB_WRITER, &world.db, &err) != LB_OK;
}

static int close_world(void **state)
{
    struct world *world = *state;

    log_reader_close(world->reader);
    dict_cache_free(world->cache);
    db_close(world->db);
    return 0;
}

static void run_sql(struct world *world, const char *sql)
{
    assert_int_equal(sqlite3_exec(db_handle(world->db), sql, NULL, NULL, NULL),
                     SQLITE_OK);
}

static struct entry event_of(int64_t seq, int64_t site, int64_t ts_ms)
{
    struct entry entry;

    memset(&entry, 0, sizeof(entry));
    entry.seq = seq;
    entry.site = site;
    entry.ts_at_ms = ts_ms;
    entry.received_at_ms = ts_ms + 5;
    entry.text[ENTRY_TEXT_ID] = "e";
    return entry;
}

static void insert(struct world *world, const struct entry *entry)
{
    const struct entry *const entries[] = {entry};
    struct lb_error err = {LB_OK, ""};

    if (log_insert_events(world->db, entries, 1, &err) != LB_OK) {
        fail_msg("%s", err.text);
    }
}

static struct log_range everything(void)
{
    const struct log_range range = {.upto_seq = INT64_MAX,
                                    .from_at_ms = INT64_MIN,
                                    .to_at_ms = INT64_MAX,
                                    .has_other_kinds = true,
                                    .has_texts = true};

    return range;
}

static void open_reader(struct world *world, const struct log_range *range)
{
    struct lb_error err = {LB_OK, ""};

    log_reader_close(world->reader);
    world->reader = NULL;
    if (log_reader_open(world->db, world->cache, range, &world->reader, &err) !=
        LB_OK) {
        fail_msg("%s", err.text);
    }
}

static const struct entry *next(struct world *world)
{
    const struct entry *entry = NULL;
    struct lb_error err = {LB_OK, ""};

    assert_int_equal(log_reader_next(world->reader, &entry, &err), LB_OK);
    return entry;
}

/* Reads range whole: its log numbers with a space before each. */
static void
check_read(struct world *world, const struct log_range *range, const char *want)
{
    char got[TEXT_BYTES] = "";
    size_t len = 0;
    const struct entry *entry;

    open_reader(world, range);
    while ((entry = next(world)) != NULL && len < sizeof(got)) {
        len += (size_t)snprintf(got + len, sizeof(got) - len, " %lld",
                                (long long)entry->seq);
    }
    assert_string_equal(got, want);
    assert_null(next(world));
}

static void check_text(const char *got, const char *want)
{
    if (want == NULL) {
        assert_null(got);
    } else {
        assert_non_null(got);
        assert_string_equal(got, want);
    }
}

static void check_numbers(const struct entry *got, const struct entry *want)
{
    assert_int_equal(got->seq, want->seq);
    assert_int_equal(got->kind, ENTRY_EVENT);
    assert_int_equal(got->site, want->site);
    assert_int_equal(got->ts_at_ms, want->ts_at_ms);
    assert_int_equal(got->received_at_ms, want->received_at_ms);
    assert_int_equal(got->type, want->type);
    assert_int_equal(got->traffic, want->traffic);
    assert_int_equal(got->is_double_tap, want->is_double_tap);
    assert_int_equal(got->is_orphan, want->is_orphan);
    assert_int_equal(got->is_qr, want->is_qr);
    assert_int_equal(got->is_silent, want->is_silent);
    assert_int_equal(got->is_visit_start, want->is_visit_start);
    assert_int_equal(got->is_passive, want->is_passive);
    assert_int_equal(got->has_amount, want->has_amount);
    assert_int_equal(got->amount_hundredths, want->amount_hundredths);
    assert_int_equal(got->visitor_day, want->visitor_day);
    assert_int_equal(got->visitor, want->visitor);
    assert_true(got->id_hash == want->id_hash);
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        assert_int_equal(got->dict[i], want->dict[i]);
    }
}

/* The dictionary's numbers 1 to 9, one a column. */
static void fill_dict(struct world *world)
{
    run_sql(world,
            "INSERT INTO dict (field, text) VALUES (0, 'shop'), (1, 'google'),"
            " (2, 'organic'), (3, 'ig'), (4, 'bio'), (5, 'fall'),"
            " (6, 'FR' || char(31) || char(31) || 'Lyon'),"
            " (7, 'mobile' || char(31) || 'Safari' || char(31) || '17' ||"
            " char(31) || 'iOS' || char(31)), (8, 'ua')");
}

static struct entry full_event(void)
{
    struct entry entry = event_of(7, 3, 1700000000000);

    entry.type = ENTRY_LEAD;
    entry.traffic = ENTRY_BOT;
    entry.is_orphan = true;
    entry.is_silent = true;
    entry.has_amount = true;
    entry.amount_hundredths = -1250;
    entry.id_hash = UINT64_MAX - 1;
    entry.bot_entry = UINT32_MAX;
    entry.visitor_day = 19675;
    entry.visitor = 41;
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        entry.dict[i] = i + 1;
    }
    entry.text[ENTRY_TEXT_ID] = "evt-1";
    entry.text[ENTRY_TEXT_NAME] = "form";
    entry.text[ENTRY_TEXT_HOST] = "l.alice.bio";
    entry.text[ENTRY_TEXT_PAGE] = "/caf\xc3\xa9";
    entry.text[ENTRY_TEXT_REFERRER] = "https://www.google.com/";
    entry.text[ENTRY_TEXT_UTM_TERM] = "";
    entry.text[ENTRY_TEXT_UTM_CONTENT] = "it's \"so\"; DROP TABLE events";
    entry.text[ENTRY_TEXT_CLICK_ID] = "gclid";
    entry.text[ENTRY_TEXT_CURRENCY] = "EUR";
    entry.text[ENTRY_TEXT_PROPS] = "{\"plan\":\"pro\"}";
    entry.contact[ENTRY_CONTACT_EMAIL] = "ann@example.org";
    entry.contact[ENTRY_CONTACT_PHONE] = "+33 1";
    return entry;
}

static void an_event_comes_back_as_it_was(void **state)
{
    struct world *world = *state;
    const struct entry want = full_event();
    const struct log_range range = everything();
    const struct entry *got;

    fill_dict(world);
    insert(world, &want);
    open_reader(world, &range);
    got = next(world);
    assert_non_null(got);
    check_numbers(got, &want);
    assert_true(got->bot_entry == want.bot_entry);
    for (int i = ENTRY_TEXT_ID; i < ENTRY_TEXT_COUNT; i++) {
        if (want.text[i] != NULL) {
            check_text(got->text[i], want.text[i]);
        }
    }
    check_text(got->text[ENTRY_TEXT_LINK], "shop");
    check_text(got->text[ENTRY_TEXT_SOURCE], "google");
    check_text(got->text[ENTRY_TEXT_CHANNEL], "organic");
    check_text(got->text[ENTRY_TEXT_UTM_SOURCE], "ig");
    check_text(got->text[ENTRY_TEXT_UTM_MEDIUM], "bio");
    check_text(got->text[ENTRY_TEXT_UTM_CAMPAIGN], "fall");
    check_text(got->text[ENTRY_TEXT_COUNTRY], "FR");
    check_text(got->text[ENTRY_TEXT_REGION], NULL);
    check_text(got->text[ENTRY_TEXT_CITY], "Lyon");
    check_text(got->text[ENTRY_TEXT_DEVICE], "mobile");
    check_text(got->text[ENTRY_TEXT_BROWSER_VERSION], "17");
    check_text(got->text[ENTRY_TEXT_OS], "iOS");
    check_text(got->text[ENTRY_TEXT_OS_VERSION], NULL);
    check_text(got->text[ENTRY_TEXT_REASON], "ua");
    check_text(got->contact[ENTRY_CONTACT_EMAIL], "ann@example.org");
    check_text(got->contact[ENTRY_CONTACT_NAME], NULL);
    check_text(got->contact[ENTRY_CONTACT_PHONE], "+33 1");
}

static void an_event_of_little_has_no_texts(void **state)
{
    struct world *world = *state;
    const struct entry want = event_of(1, 1, 0);
    const struct log_range range = everything();
    const struct entry *got;

    insert(world, &want);
    open_reader(world, &range);
    got = next(world);
    assert_non_null(got);
    check_numbers(got, &want);
    for (int i = ENTRY_TEXT_NAME; i < ENTRY_TEXT_COUNT; i++) {
        assert_null(got->text[i]);
    }
}

static void each_flag_is_its_own(void **state)
{
    struct world *world = *state;
    const struct log_range range = everything();
    struct entry want[64];

    for (int i = 0; i < 64; i++) {
        want[i] = event_of(i + 1, 1, 100);
        want[i].type = (enum entry_type)(i % ENTRY_TYPE_COUNT);
        want[i].traffic = (enum entry_traffic)(i / 8 % ENTRY_TRAFFIC_COUNT);
        want[i].is_double_tap = (i & 1) != 0;
        want[i].is_orphan = (i & 2) != 0;
        want[i].is_qr = (i & 4) != 0;
        want[i].is_silent = (i & 8) != 0;
        want[i].is_visit_start = (i & 16) != 0;
        want[i].is_passive = (i & 32) != 0;
        insert(world, &want[i]);
    }
    open_reader(world, &range);
    for (int i = 0; i < 64; i++) {
        const struct entry *got = next(world);

        assert_non_null(got);
        check_numbers(got, &want[i]);
    }
    assert_null(next(world));
}

static void numbers_alone_bring_no_texts(void **state)
{
    struct world *world = *state;
    const struct entry want = full_event();
    struct log_range range = everything();
    const struct entry *got;

    fill_dict(world);
    insert(world, &want);
    range.has_texts = false;
    open_reader(world, &range);
    got = next(world);
    assert_non_null(got);
    check_numbers(got, &want);
    assert_null(got->text[ENTRY_TEXT_ID]);
    assert_null(got->text[ENTRY_TEXT_SOURCE]);
    assert_null(got->contact[ENTRY_CONTACT_EMAIL]);
}

/* Events 1 to 6, sites 1 and 2 by turns, ts 100 apart; ticks 3 and 7. */
static void fill(struct world *world)
{
    for (int64_t seq = 1; seq <= 6; seq++) {
        const struct entry entry = event_of(seq, 1 + seq % 2, seq * 100);

        if (seq != 3) {
            insert(world, &entry);
        }
    }
    run_sql(world, "INSERT INTO entries VALUES (3, 1, 305, NULL),"
                   " (7, 2, 705, '{\"down_from\":1}')");
}

static void entries_of_all_kinds_come_in_order(void **state)
{
    struct world *world = *state;
    struct log_range range = everything();
    const struct entry *entry = NULL;

    fill(world);
    check_read(world, &range, " 1 2 3 4 5 6 7");
    open_reader(world, &range);
    for (int i = 0; i < 7; i++) {
        entry = next(world);
    }
    assert_int_equal(entry->kind, ENTRY_START);
    assert_int_equal(entry->ts_at_ms, 705);
    check_text(entry->data, "{\"down_from\":1}");
    range.has_other_kinds = false;
    check_read(world, &range, " 1 2 4 5 6");
}

static void a_range_bounds_numbers_times_and_sites(void **state)
{
    struct world *world = *state;
    const int64_t one[] = {2};
    const int64_t both[] = {1, 2};
    const int64_t other[] = {1 + 63}; /* shares a bit with site 1 */
    struct log_range range = everything();

    fill(world);
    range.after_seq = 2;
    range.upto_seq = 5;
    check_read(world, &range, " 3 4 5");
    range = everything();
    range.has_other_kinds = false;
    range.from_at_ms = 200;
    range.to_at_ms = 500;
    check_read(world, &range, " 2 4");
    range.sites = one;
    range.site_count = 1;
    check_read(world, &range, "");
    range.to_at_ms = 501;
    check_read(world, &range, " 5");
    range.sites = both;
    range.site_count = 2;
    check_read(world, &range, " 2 4 5");
    range.sites = other;
    range.site_count = 1;
    check_read(world, &range, "");
    range.site_count = 0;
    check_read(world, &range, "");
}

/* Blocks 0 and 2 hold what is asked for, block 1 does not. */
static void blocks_between_are_left_out(void **state)
{
    struct world *world = *state;
    const int64_t site[] = {1};
    const int64_t seqs[] = {4094, 4095, 4096, 8191, 8192, 12287, 12288};
    struct log_range range = everything();

    for (size_t i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
        const struct entry entry =
            event_of(seqs[i], seqs[i] >> LOG_BLOCK_SHIFT == 1 ? 2 : 1, seqs[i]);

        insert(world, &entry);
    }
    check_read(world, &range, " 4094 4095 4096 8191 8192 12287 12288");
    range.after_seq = 4095;
    check_read(world, &range, " 4096 8191 8192 12287 12288");
    range.sites = site;
    range.site_count = 1;
    check_read(world, &range, " 8192 12287 12288");
    range.after_seq = 0;
    range.to_at_ms = 12288;
    check_read(world, &range, " 4094 4095 8192 12287");
}

static void bounds_of_time_follow_the_sites(void **state)
{
    struct world *world = *state;
    const int64_t site[] = {9};
    struct lb_error err = {LB_OK, ""};
    struct log_bounds bounds = {.has_events = true};

    assert_int_equal(log_time_bounds(world->db, NULL, 0, &bounds, &err), LB_OK);
    assert_false(bounds.has_events);
    fill(world);
    assert_int_equal(log_time_bounds(world->db, NULL, 0, &bounds, &err), LB_OK);
    assert_true(bounds.has_events);
    assert_int_equal(bounds.first_at_ms, 100);
    assert_int_equal(bounds.last_at_ms, 600);
    assert_int_equal(log_time_bounds(world->db, site, 1, &bounds, &err), LB_OK);
    assert_false(bounds.has_events);
}

static void a_closed_reader_leaves_no_statement_open(void **state)
{
    struct world *world = *state;
    const struct entry lead = full_event();
    const struct log_range range = everything();
    sqlite3_stmt *stmt = NULL;

    fill_dict(world);
    fill(world);
    run_sql(world, "DELETE FROM entries WHERE seq = 7");
    insert(world, &lead);
    open_reader(world, &range);
    for (int i = 0; i < 7; i++) {
        assert_non_null(next(world));
    }
    log_reader_close(world->reader);
    world->reader = NULL;
    while ((stmt = sqlite3_next_stmt(db_handle(world->db), stmt)) != NULL) {
        assert_false(sqlite3_stmt_busy(stmt));
    }
}

static void a_copy_stands_on_its_own(void **state)
{
    struct world *world = *state;
    const struct log_range range = everything();
    const struct entry lead = full_event();
    struct lb_arena *arena = lb_arena_new(TEXT_BYTES);
    struct lb_arena *small = lb_arena_new(sizeof(struct entry) + 16);
    struct entry *copy;

    fill_dict(world);
    insert(world, &lead);
    open_reader(world, &range);
    copy = log_copy_entry(arena, next(world));
    assert_non_null(copy);
    assert_null(log_copy_entry(small, copy));
    assert_null(next(world));
    log_reader_close(world->reader);
    world->reader = NULL;
    check_numbers(copy, &lead);
    check_text(copy->text[ENTRY_TEXT_PAGE], "/caf\xc3\xa9");
    check_text(copy->text[ENTRY_TEXT_CITY], "Lyon");
    check_text(copy->contact[ENTRY_CONTACT_EMAIL], "ann@example.org");
    lb_arena_free(arena);
    lb_arena_free(small);
}

static void joined_texts_are_cut_into_parts(void **state)
{
    char out[16];
    const char *parts[3];

    (void)state;
    log_split(NULL, out, sizeof(out), parts, 3);
    assert_null(parts[0]);
    log_split("", out, sizeof(out), parts, 3);
    assert_null(parts[0]);
    log_split("a\x1f\x1f"
              "c\x1f"
              "d",
              out, sizeof(out), parts, 3);
    check_text(parts[0], "a");
    check_text(parts[1], NULL);
    check_text(parts[2], "c");
    log_split("a", out, sizeof(out), parts, 3);
    check_text(parts[0], "a");
    check_text(parts[1], NULL);
    check_text(parts[2], NULL);
    log_split("123456789012345", out, sizeof(out), parts, 3);
    check_text(parts[0], "123456789012345");
    log_split("1234567890123456", out, sizeof(out), parts, 3);
    check_text(parts[0], NULL);
}

#define IN_A_WORLD(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_WORLD(an_event_comes_back_as_it_was),
        IN_A_WORLD(an_event_of_little_has_no_texts),
        IN_A_WORLD(each_flag_is_its_own),
        IN_A_WORLD(numbers_alone_bring_no_texts),
        IN_A_WORLD(entries_of_all_kinds_come_in_order),
        IN_A_WORLD(a_range_bounds_numbers_times_and_sites),
        IN_A_WORLD(blocks_between_are_left_out),
        IN_A_WORLD(bounds_of_time_follow_the_sites),
        IN_A_WORLD(a_closed_reader_leaves_no_statement_open),
        IN_A_WORLD(a_copy_stands_on_its_own),
        cmocka_unit_test(joined_texts_are_cut_into_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
