/* test_sealed.c - a sealed log reads as it read before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/log_change.h"
#include "sql/log_ids.h"
#include "sql/log_lookup.h"
#include "sql/log_store.h"
#include "sql/segment_build.h"
#include "sql/segment_store.h"
#include "tests/support/series.h"

#define EVENTS 3000
#define SITES 9
#define FIRST_MS INT64_C(1795510800000)
#define SPAN_MS 90000000
#define WORDS 12
#define ROW_BYTES 400

struct world {
    struct db *db;
    struct dict_cache *cache;
    struct series_random chance;
};

/* What a range reads as: a line an event. */
struct text {
    char *lines; /* owned */
    size_t len;
    size_t count;
};

static int64_t below(struct world *world, int64_t limit)
{
    return (int64_t)(series_uniform(&world->chance) * (double)limit);
}

static void check(enum lb_err rc, const struct lb_error *err)
{
    if (rc != LB_OK) {
        fail_msg("%s", err->text);
    }
}

static void run_sql(struct world *world, const char *sql)
{
    assert_int_equal(sqlite3_exec(db_handle(world->db), sql, NULL, NULL, NULL),
                     SQLITE_OK);
}

static void insert_event(struct world *world, int64_t seq)
{
    static const char *const pages[] = {"/", "/about", "/shop?item=\xc3\xa9"};
    struct entry entry;
    const struct entry *const entries[] = {&entry};
    struct lb_error err = {LB_OK, ""};
    char id[32];

    memset(&entry, 0, sizeof(entry));
    (void)snprintf(id, sizeof(id), "event-%lld", (long long)seq);
    entry.seq = seq;
    entry.site = 1 + below(world, SITES);
    entry.ts_at_ms = FIRST_MS + below(world, SPAN_MS);
    entry.received_at_ms = entry.ts_at_ms + below(world, 4000);
    entry.type = (enum entry_type)below(world, 4);
    entry.traffic = (enum entry_traffic)below(world, 4);
    entry.is_orphan = below(world, 5) == 0;
    entry.visitor = below(world, 50);
    entry.visitor_day = entry.visitor == 0 ? 0 : 20781;
    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        entry.dict[i] = below(world, WORDS + 1);
    }
    entry.has_amount = below(world, 9) == 0;
    entry.amount_hundredths = entry.has_amount ? below(world, 10000) : 0;
    entry.text[ENTRY_TEXT_ID] = id;
    entry.text[ENTRY_TEXT_PAGE] = pages[below(world, 3)];
    entry.text[ENTRY_TEXT_NAME] = below(world, 4) == 0 ? "form" : NULL;
    entry.contact[ENTRY_CONTACT_EMAIL] =
        entry.type == ENTRY_LEAD ? "a@example.org" : NULL;
    check(log_insert_events(world->db, entries, 1, &err), &err);
}

static int open_world(void **state)
{
    static struct world world;
    struct lb_error err = {LB_OK, ""};

    world.chance.state = 88172645463325252U;
    *state = &world;
    world.cache = dict_cache_new();
    if (world.cache == NULL ||
        db_open(":memory:", DB_WRITER, &world.db, &err) != LB_OK) {
        return 1;
    }
    run_sql(&world, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                    "FROM n WHERE i < 12) INSERT INTO dict (field, text) "
                    "SELECT 0, CASE i % 3 WHEN 0 THEN 'word ' || i ELSE "
                    "char(65 + i) || char(31) || 'r' || char(31) || i END "
                    "FROM n");
    run_sql(&world, "BEGIN");
    for (int64_t seq = 1; seq <= EVENTS; seq++) {
        if (seq % 97 != 0) { /* entries of other kinds have numbers, too */
            insert_event(&world, seq);
        } else {
            char sql[128];

            (void)snprintf(sql, sizeof(sql),
                           "INSERT INTO entries VALUES (%lld, 1, %lld, NULL)",
                           (long long)seq, (long long)FIRST_MS);
            run_sql(&world, sql);
        }
    }
    run_sql(&world, "COMMIT");
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;

    dict_cache_free(world->cache);
    db_close(world->db);
    return 0;
}

static const char *shown(const char *text)
{
    return text == NULL ? "-" : text;
}

static void write_line(struct text *text, const struct entry *entry)
{
    char *at = text->lines + text->len;
    size_t used = (size_t)snprintf(
        at, ROW_BYTES, "%lld %d %lld %lld %lld %lld %lld/%lld %lld %u %s",
        (long long)entry->seq, (int)entry->kind, (long long)entry->site,
        (long long)entry->ts_at_ms, (long long)entry->received_at_ms,
        (long long)entry_bits(entry), (long long)entry->visitor_day,
        (long long)entry->visitor,
        entry->has_amount ? (long long)entry->amount_hundredths : -1,
        (unsigned)entry->bot_entry, shown(entry->contact[ENTRY_CONTACT_EMAIL]));

    for (int i = 0; i < ENTRY_DICT_COUNT; i++) {
        used += (size_t)snprintf(at + used, ROW_BYTES - used, " %lld",
                                 (long long)entry->dict[i]);
    }
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        used += (size_t)snprintf(at + used, ROW_BYTES - used, "|%s",
                                 shown(entry->text[i]));
    }
    assert_true(used + 1 < ROW_BYTES);
    at[used] = '\n';
    at[used + 1] = '\0';
    text->len += used + 1;
    text->count++;
}

static struct text read_range(struct world *world,
                              const struct log_range *range)
{
    struct text text = {malloc((size_t)EVENTS * ROW_BYTES + 1), 0, 0};
    struct lb_error err = {LB_OK, ""};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;

    text.lines[0] = '\0';
    check(log_reader_open(world->db, world->cache, range, &reader, &err), &err);
    do {
        check(log_reader_next(reader, &entry, &err), &err);
        if (entry != NULL) {
            write_line(&text, entry);
        }
    } while (entry != NULL);
    log_reader_close(reader);
    return text;
}

static const struct log_range everything = {.upto_seq = INT64_MAX,
                                            .from_at_ms = INT64_MIN,
                                            .to_at_ms = INT64_MAX,
                                            .has_other_kinds = true,
                                            .has_texts = true};

/* Writes the events of the range as one segment and swaps it in. */
static void seal_range(struct world *world, int64_t after_seq, int64_t upto_seq)
{
    struct log_range range = everything;
    struct segment_builder *builder = segment_build_new();
    struct lb_error err = {LB_OK, ""};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    struct segment_body body;
    int64_t number = 0;
    int64_t sealed_to = 0;

    range.after_seq = after_seq;
    range.upto_seq = upto_seq;
    range.has_other_kinds = false;
    check(log_reader_open(world->db, world->cache, &range, &reader, &err),
          &err);
    do {
        check(log_reader_next(reader, &entry, &err), &err);
        if (entry != NULL) {
            assert_int_equal(segment_build_add(builder, entry), LB_OK);
        }
    } while (entry != NULL);
    log_reader_close(reader);
    assert_int_equal(segment_build_finish(builder, &body), LB_OK);
    check(
        segment_store_put(world->db, &body, after_seq, upto_seq, &number, &err),
        &err);
    for (int i = 0; i < SEGMENT_COLUMN_COUNT; i++) {
        check(segment_store_put_column(world->db, number, i, &body.columns[i],
                                       &err),
              &err);
    }
    check(segment_store_swap(world->db, after_seq, upto_seq, number, &err),
          &err);
    check(log_sealed_to(world->db, &sealed_to, &err), &err);
    if (upto_seq > sealed_to) {
        check(db_meta_set(world->db, "sealed_to", upto_seq, &err), &err);
    }
    segment_build_deinit(&body);
    segment_build_free(builder);
}

static void
random_range(struct world *world, struct log_range *range, int64_t sites[2])
{
    *range = everything;
    range->after_seq = below(world, 2) == 0 ? 0 : below(world, EVENTS);
    range->upto_seq = below(world, 2) == 0
                          ? INT64_MAX
                          : range->after_seq + below(world, EVENTS);
    if (below(world, 2) == 0) {
        range->from_at_ms = FIRST_MS + below(world, SPAN_MS);
        range->to_at_ms = range->from_at_ms + below(world, SPAN_MS);
    }
    if (below(world, 3) != 0) {
        sites[0] = 1 + below(world, SITES + 2);
        sites[1] = 1 + below(world, SITES);
        range->sites = sites;
        range->site_count = 1 + (size_t)below(world, 2);
    }
    range->has_other_kinds = below(world, 2) == 0;
    range->has_texts = below(world, 4) != 0;
}

#define RANGES 60

/* Reads the same ranges before and after change, which must not show.  Without
 * texts a sealed event has neither id_hash nor bot entry. */
static void check_same(struct world *world, void (*change)(struct world *world))
{
    static struct log_range ranges[RANGES];
    static int64_t sites[RANGES][2];
    static struct text before[RANGES];
    size_t events = 0;

    for (int i = 0; i < RANGES; i++) {
        random_range(world, &ranges[i], sites[i]);
        before[i] = read_range(world, &ranges[i]);
        events += before[i].count;
    }
    assert_true(events > EVENTS);
    change(world);
    for (int i = 0; i < RANGES; i++) {
        struct text after = read_range(world, &ranges[i]);

        assert_string_equal(after.lines, before[i].lines);
        free(after.lines);
        free(before[i].lines);
    }
}

static void seal_some(struct world *world)
{
    seal_range(world, 0, 700);
    seal_range(world, 700, 1500);
    seal_range(world, 1500, 2600);
}

static void delete_rows(struct world *world)
{
    run_sql(world, "DELETE FROM event_packs WHERE upto <= 2600");
}

static void a_sealed_log_reads_as_before(void **state)
{
    struct world *world = *state;

    check_same(world, seal_some);
    check_same(world, delete_rows);
}

static void erase_and_class(struct world *world)
{
    struct lb_error err = {LB_OK, ""};

    for (int64_t seq = 5; seq < EVENTS; seq += 37) {
        struct entry entry = {.seq = seq + 1, .traffic = ENTRY_BOT};

        if (seq % 97 != 0) {
            check(log_change_erase(world->db, seq, &err), &err);
        }
        entry.dict[ENTRY_DICT_REASON] = 3;
        if (entry.seq % 97 != 0) {
            check(log_change_class(world->db, &entry, &err), &err);
        }
    }
}

static void write_anew(struct world *world)
{
    int64_t seq = 0;
    struct lb_error err = {LB_OK, ""};

    seal_range(world, 0, 700);
    seal_range(world, 700, 1500);
    seal_range(world, 1500, 2600);
    check(segment_store_next_change(world->db, &seq, &err), &err);
    assert_int_equal(seq, 0);
}

static void sweep(struct world *world)
{
    struct lb_error err = {LB_OK, ""};
    bool has_more = true;

    for (int i = 0; i < 1000 && has_more; i++) {
        check(segment_store_sweep(world->db, &has_more, &err), &err);
    }
    assert_false(has_more);
    run_sql(world, "CREATE TEMP TABLE live AS SELECT number FROM segments");
    run_sql(world, "CREATE TEMP TABLE one (n INTEGER CHECK (n = 0)); INSERT "
                   "INTO one SELECT count(*) FROM segment_columns WHERE "
                   "key / 64 NOT IN (SELECT number FROM live)");
}

static void changes_show_at_once_and_stay(void **state)
{
    struct world *world = *state;
    struct text before;
    struct text after;

    seal_some(world);
    delete_rows(world);
    before = read_range(world, &everything);
    erase_and_class(world);
    after = read_range(world, &everything);
    assert_int_equal(after.count, before.count - 81);
    assert_null(strstr(after.lines, "event-5|"));
    assert_non_null(strstr(before.lines, "event-5|"));
    free(before.lines);
    free(after.lines);
    check_same(world, write_anew);
    check_same(world, sweep);
}

static void a_segment_without_events_goes(void **state)
{
    struct world *world = *state;
    struct lb_error err = {LB_OK, ""};
    struct text left;

    seal_range(world, 0, 50);
    delete_rows(world);
    check(segment_store_swap(world->db, 0, 50, 0, &err), &err);
    sweep(world);
    left = read_range(world, &everything);
    assert_memory_equal(left.lines, "97 1 ", 5);
    free(left.lines);
}

static void one_event_is_found_wherever_it_lies(void **state)
{
    struct world *world = *state;
    struct text all = read_range(world, &everything);
    struct log_lookup *lookup = log_lookup_new();
    struct lb_error err = {LB_OK, ""};

    seal_some(world);
    delete_rows(world);
    for (int i = 0; i < 400; i++) {
        const struct entry *entry = NULL;
        const struct entry *again = NULL;
        int64_t seq = 1 + below(world, EVENTS);
        struct text line = {malloc(2 * ROW_BYTES), 0, 0};

        check(log_lookup_event(lookup, world->db, seq, 0, &entry, &err), &err);
        assert_int_equal(entry == NULL, seq % 97 == 0);
        if (entry != NULL) {
            struct entry copy = *entry;

            copy.contact[ENTRY_CONTACT_EMAIL] = NULL;
            write_line(&line, &copy);
            *strstr(line.lines, " -") = '\0'; /* the contact or the amount */
            assert_non_null(strstr(all.lines, line.lines));
            check(log_lookup_event(lookup, world->db, seq, copy.site, &again,
                                   &err),
                  &err);
            assert_non_null(again);
            assert_int_equal(again->ts_at_ms, copy.ts_at_ms);
            check(log_lookup_event(lookup, world->db, seq, SITES + 5, &again,
                                   &err),
                  &err);
            assert_true(again == NULL || seq > 2600);
        }
        free(line.lines);
    }
    log_lookup_free(lookup);
    free(all.lines);
}

static void a_changed_event_is_found_changed(void **state)
{
    struct world *world = *state;
    struct log_lookup *lookup = log_lookup_new();
    const struct entry *entry = NULL;
    struct lb_error err = {LB_OK, ""};
    struct entry changed;

    seal_some(world);
    check(log_lookup_event(lookup, world->db, 10, 0, &entry, &err), &err);
    changed = *entry;
    changed.traffic = ENTRY_PREFETCH;
    check(log_change_class(world->db, &changed, &err), &err);
    check(log_lookup_event(lookup, world->db, 10, 0, &entry, &err), &err);
    assert_int_equal(entry->traffic, ENTRY_PREFETCH);
    check(log_change_erase(world->db, 10, &err), &err);
    check(log_lookup_event(lookup, world->db, 10, 0, &entry, &err), &err);
    assert_null(entry);
    check(log_lookup_event(lookup, world->db, 11, 0, &entry, &err), &err);
    assert_non_null(entry);
    log_lookup_free(lookup);
}

/* Sums up ids by their numbers. */
struct summing {
    int64_t count;
    int64_t seqs;
    uint64_t hashes;
    int64_t last_seq;
};

static enum lb_err add_id(void *ctx, const struct log_id *id)
{
    struct summing *summing = ctx;

    assert_true(id->seq > summing->last_seq);
    summing->last_seq = id->seq;
    summing->count++;
    summing->seqs += id->seq;
    summing->hashes ^= id->hash;
    return LB_OK;
}

static void ids_are_those_of_all_events_once(void **state)
{
    static const uint8_t key[16] = {7};
    static const struct log_ids_range range = {key, 400, INT64_MAX};
    struct world *world = *state;
    struct summing want = {0, 0, 0, 0};
    struct summing got = {0, 0, 0, 0};
    struct log_lookup *lookup = log_lookup_new();
    struct lb_error err = {LB_OK, ""};

    for (int64_t seq = 401; seq <= EVENTS; seq++) {
        const struct entry *entry = NULL;

        check(log_lookup_event(lookup, world->db, seq, 0, &entry, &err), &err);
        if (entry != NULL) {
            const struct log_id id = {
                log_ids_hash(key, entry->site, entry->text[ENTRY_TEXT_ID]), 0,
                seq};

            /* The row's column is made with another key. */
            assert_int_equal(add_id(&want, &id), LB_OK);
        }
    }
    seal_range(world, 0, EVENTS);
    check(log_ids_each(world->db, &range, add_id, &got, &err), &err);
    assert_int_equal(got.count, want.count);
    assert_int_equal(got.seqs, want.seqs);
    assert_true(got.hashes == want.hashes);
    log_lookup_free(lookup);
}

static void a_damaged_segment_is_named(void **state)
{
    struct world *world = *state;
    struct lb_error err = {LB_OK, ""};
    struct log_reader *reader = NULL;
    const struct entry *entry = NULL;
    enum lb_err rc;

    seal_some(world);
    run_sql(world, "UPDATE segment_columns SET body = substr(body, 1, "
                   "length(body) - 1) WHERE key = 2 * 64 + 20");
    check(log_reader_open(world->db, world->cache, &everything, &reader, &err),
          &err);
    do {
        rc = log_reader_next(reader, &entry, &err);
    } while (rc == LB_OK && entry != NULL);
    assert_int_equal(rc, LB_EFORMAT);
    assert_non_null(strstr(err.text, "segment 2 of the log is damaged"));
    log_reader_close(reader);
}

#define WORLD_TEST(name)                                                       \
    cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(a_sealed_log_reads_as_before),
        WORLD_TEST(changes_show_at_once_and_stay),
        WORLD_TEST(a_segment_without_events_goes),
        WORLD_TEST(one_event_is_found_wherever_it_lies),
        WORLD_TEST(a_changed_event_is_found_changed),
        WORLD_TEST(ids_are_those_of_all_events_once),
        WORLD_TEST(a_damaged_segment_is_named)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
