/* test_visitor.c - visitors' hashes, salts and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "ingest/visitor_store.h"
#include "tests/support/ingest_world.h"

#define NOW_MS INGEST_WORLD_NOW_MS

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

static uint64_t expected_hash(const struct visitor_salt *salt,
                              const uint8_t *message,
                              size_t len)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    uint64_t value = 0;

    assert_non_null(HMAC(EVP_sha256(), salt->bytes, (int)sizeof(salt->bytes),
                         message, len, digest, &digest_len));
    for (int i = 0; i < 8; i++) {
        value = value << 8 | digest[i];
    }
    return value;
}

static void an_address_is_hashed_with_its_kind_and_network(void **state)
{
    static const struct {
        const char *text;
        const char *message; /* kind and bytes */
        size_t len;
    } cases[] = {
        {"192.0.2.1", "4\xc0\x00\x02\x01", 5},
        {"::ffff:192.0.2.1", "4\xc0\x00\x02\x01", 5},
        {"64:ff9b::192.0.2.1", "4\xc0\x00\x02\x01", 5},
        {"2001:db8:1:2:3:4:5:6", "6\x20\x01\x0d\xb8\0\1\0\2", 9},
        {"2001:db8:1:2::", "6\x20\x01\x0d\xb8\0\1\0\2", 9},
        {"64:ff9b:1::1", "6\x00\x64\xff\x9b\0\1\0\0", 9},
        {"::1", "6\0\0\0\0\0\0\0\0", 9},
    };
    const struct catalog_site *site = ingest_world_site(*state, "alice.bio");
    struct ingest_world *world = *state;
    struct visitor_salt *salt =
        visitor_salt_of(world->visitors, site, NOW_MS, "");

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t message[64] = "alice.bio";
        struct lb_ip address;

        memcpy(message + 10, cases[i].message, cases[i].len);
        memcpy(message + 10 + cases[i].len, "\0UA", 3);
        assert_true(lb_ip_parse(cases[i].text, &address));
        if (visitor_hash_address(salt, site->id, &address, "UA") !=
            expected_hash(salt, message, 10 + cases[i].len + 3)) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void the_hash_is_hmac_sha256_of_site_address_and_agent(void **state)
{
    static const uint8_t v4[] = "alice.bio\0"
                                "4\xc0\x00\x02\x01\0Mozilla/5.0";
    static const uint8_t given[] = "alice.bio\0"
                                   "vuser-17";
    const struct catalog_site *site = ingest_world_site(*state, "alice.bio");
    struct ingest_world *world = *state;
    struct visitor_salt *salt =
        visitor_salt_of(world->visitors, site, NOW_MS, "");
    struct lb_ip address;

    assert_non_null(salt);
    assert_true(lb_ip_parse("192.0.2.1", &address));
    assert_int_equal(
        visitor_hash_address(salt, site->id, &address, "Mozilla/5.0"),
        expected_hash(salt, v4, sizeof(v4) - 1));
    assert_int_equal(visitor_hash_given(salt, site->id, "user-17"),
                     expected_hash(salt, given, sizeof(given) - 1));
}

static void of_a_user_agent_the_first_1024_bytes_count(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    struct visitor_salt *salt =
        visitor_salt_of(world->visitors, site, NOW_MS, "");
    struct lb_ip address;
    char agent[1100];
    uint64_t hash;

    assert_true(lb_ip_parse("2001:db8::1", &address));
    memset(agent, 'a', sizeof(agent) - 1);
    agent[sizeof(agent) - 1] = '\0';
    hash = visitor_hash_address(salt, site->id, &address, agent);
    agent[1024] = 'b';
    assert_int_equal(visitor_hash_address(salt, site->id, &address, agent),
                     hash);
    agent[1023] = 'b';
    assert_int_not_equal(visitor_hash_address(salt, site->id, &address, agent),
                         hash);
}

static void a_salt_lasts_for_one_local_day_of_one_site(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *alice = ingest_world_site(world, "alice.bio");
    const struct catalog_site *bob = ingest_world_site(world, "bob.bio");
    /* Paris is at +01:00: the local day begins at 23:00 UTC. */
    int64_t midnight_ms = NOW_MS - 10 * LB_MS_PER_HOUR;
    struct visitor_salt *salt =
        visitor_salt_of(world->visitors, alice, NOW_MS, "");
    struct visitor_salt *before =
        visitor_salt_of(world->visitors, alice, midnight_ms - 1, "");

    assert_ptr_equal(visitor_salt_of(world->visitors, alice, midnight_ms, ""),
                     salt);
    assert_ptr_equal(visitor_salt_of(world->visitors, alice,
                                     midnight_ms + LB_MS_PER_DAY - 1, ""),
                     salt);
    assert_ptr_not_equal(before, salt);
    assert_memory_not_equal(before->bytes, salt->bytes, sizeof(salt->bytes));
    assert_int_equal(visitor_salt_day(salt), visitor_salt_day(before) + 1);
    assert_ptr_not_equal(visitor_salt_of(world->visitors, bob, NOW_MS, ""),
                         salt);
    assert_int_equal(salt->expires_at_ms,
                     midnight_ms + LB_MS_PER_DAY + 72 * LB_MS_PER_HOUR);
}

static void a_period_may_be_a_week_or_a_month(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    int64_t today =
        visitor_salt_day(visitor_salt_of(world->visitors, site, NOW_MS, ""));
    struct visitor_salt *salt;

    visitor_set_period(world->visitors, VISITOR_WEEK);
    salt = visitor_salt_of(world->visitors, site, NOW_MS, "");
    assert_int_equal(visitor_salt_day(salt), today - 1); /* Monday */
    assert_ptr_equal(
        visitor_salt_of(world->visitors, site, NOW_MS + 5 * LB_MS_PER_DAY, ""),
        salt);
    assert_ptr_not_equal(
        visitor_salt_of(world->visitors, site, NOW_MS + 6 * LB_MS_PER_DAY, ""),
        salt);
    visitor_set_period(world->visitors, VISITOR_MONTH);
    salt = visitor_salt_of(world->visitors, site, NOW_MS, "");
    assert_int_equal(visitor_salt_day(salt), today - 23); /* the 1st */
    assert_ptr_equal(
        visitor_salt_of(world->visitors, site, NOW_MS + 6 * LB_MS_PER_DAY, ""),
        salt);
    assert_ptr_not_equal(
        visitor_salt_of(world->visitors, site, NOW_MS + 7 * LB_MS_PER_DAY, ""),
        salt);
}

static void an_import_has_its_own_salt_for_closed_periods_alone(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    int64_t old_ms = NOW_MS - 30 * LB_MS_PER_DAY;
    struct visitor_salt *one =
        visitor_salt_of(world->visitors, site, old_ms, "one");
    struct visitor_salt *two =
        visitor_salt_of(world->visitors, site, old_ms, "two");

    assert_ptr_not_equal(one, two);
    assert_ptr_equal(visitor_salt_of(world->visitors, site, old_ms, "one"),
                     one);
    assert_int_equal(one->expires_at_ms, NOW_MS + 72 * LB_MS_PER_HOUR);
    assert_ptr_equal(visitor_salt_of(world->visitors, site, NOW_MS, "one"),
                     visitor_salt_of(world->visitors, site, NOW_MS, ""));
    assert_ptr_equal(
        visitor_salt_of(world->visitors, site, NOW_MS - LB_MS_PER_DAY, "one"),
        visitor_salt_of(world->visitors, site, NOW_MS - LB_MS_PER_DAY, ""));
}

/* Numbers asked for in one transaction. */
struct asking {
    struct ingest_world *world;
    struct visitor_salt *salt;
    uint64_t first; /* hashes first, first + 1, ... */
    int64_t numbers[100];
    size_t count;
    bool is_failing; /* in the end */
};

static enum lb_err ask(void *ctx, struct db *db, struct lb_error *err)
{
    struct asking *asking = ctx;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < asking->count && rc == LB_OK; i++) {
        rc = visitor_number(asking->world->visitors, db, asking->salt,
                            asking->first + i, &asking->numbers[i], err);
    }
    return rc == LB_OK && asking->is_failing
               ? lb_err_set(err, LB_EINTERNAL, "on purpose")
               : rc;
}

static void numbers_are_dense_and_stay(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    struct asking asking = {
        .world = world,
        .salt = visitor_salt_of(world->visitors, site, NOW_MS, ""),
        .first = 1000,
        .count = 100};

    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(asking.numbers[i], i + 1);
    }
    asking.first = 1050;
    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(asking.numbers[i], i + 51);
    }
}

static void a_rollback_takes_numbers_and_salts_back(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    struct asking asking = {
        .world = world,
        .salt = visitor_salt_of(world->visitors, site, NOW_MS, ""),
        .first = 1,
        .count = 40,
        .is_failing = true};

    assert_int_equal(ingest_world_run(world, ask, &asking), LB_EINTERNAL);
    assert_int_equal(asking.salt->number, 0);
    asking.is_failing = false;
    asking.first = 30;
    asking.count = 5;
    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    assert_int_not_equal(asking.salt->number, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(asking.numbers[i], i + 1);
    }
    asking.is_failing = true;
    asking.count = 60;
    assert_int_equal(ingest_world_run(world, ask, &asking), LB_EINTERNAL);
    assert_int_not_equal(asking.salt->number, 0);
    asking.is_failing = false;
    asking.first = 34;
    asking.count = 2;
    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    assert_int_equal(asking.numbers[0], 5);
    assert_int_equal(asking.numbers[1], 6);
}

/* Spreads numbers over 64 bits (splitmix64, Steele, Lea and Flood). */
static uint64_t spread(uint64_t number)
{
    uint64_t x = number * UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Visitor number i, from 1, has the hash spread(i) and gets i as its number. */
struct many {
    struct ingest_world *world;
    struct visitor_salt *salt;
    uint64_t upto;
    bool is_failing;
};

static enum lb_err ask_many(void *ctx, struct db *db, struct lb_error *err)
{
    struct many *many = ctx;
    int64_t number = 0;
    enum lb_err rc = LB_OK;

    for (uint64_t i = 1; i <= many->upto && rc == LB_OK; i++) {
        rc = visitor_number(many->world->visitors, db, many->salt, spread(i),
                            &number, err);
        if (rc == LB_OK && number != (int64_t)i) {
            rc = lb_err_set(err, LB_EFORMAT, "another number");
        }
    }
    return rc == LB_OK && many->is_failing
               ? lb_err_set(err, LB_EINTERNAL, "on purpose")
               : rc;
}

static void many_visitors_keep_their_numbers_in_little_memory(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    struct many many = {
        world, visitor_salt_of(world->visitors, site, NOW_MS, ""), 0, false};

    for (uint64_t count = 100; count <= 4000; count += 300) {
        many.upto = count + 700;
        many.is_failing = true;
        assert_int_equal(ingest_world_run(world, ask_many, &many),
                         LB_EINTERNAL);
        many.upto = count;
        many.is_failing = false;
        assert_int_equal(ingest_world_run(world, ask_many, &many), LB_OK);
        assert_int_equal(many.salt->used, count);
    }
    many.upto = 4700;
    assert_int_equal(ingest_world_run(world, ask_many, &many), LB_OK);
    assert_true(many.salt->slot_count * sizeof(*many.salt->slots) <
                24 * many.salt->used);
}

/* Salts of an import and of live events share the period's numbers: no visitor
 * of one has the number of another. */
static void salts_of_one_period_share_its_numbers(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    int64_t old_ms = NOW_MS - 30 * LB_MS_PER_DAY;
    struct asking asking = {
        .world = world,
        .salt = visitor_salt_of(world->visitors, site, old_ms, "one"),
        .first = 1,
        .count = 3};

    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    asking.salt = visitor_salt_of(world->visitors, site, old_ms, "two");
    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    assert_int_equal(asking.numbers[0], 4);
}

static void a_restart_knows_salts_and_numbers(void **state)
{
    char dir[] = "/tmp/linkbell-visitor-XXXXXX";
    struct ingest_world world;
    struct asking asking = {.first = 500, .count = 20};
    uint8_t bytes[32];
    char command[128];

    (void)state;
    assert_non_null(mkdtemp(dir));
    ingest_world_open(&world, dir);
    asking.world = &world;
    asking.salt = visitor_salt_of(
        world.visitors, ingest_world_site(&world, "alice.bio"), NOW_MS, "");
    memcpy(bytes, asking.salt->bytes, sizeof(bytes));
    assert_int_equal(ingest_world_run(&world, ask, &asking), LB_OK);
    ingest_world_close(&world);

    ingest_world_open(&world, dir);
    asking.salt = visitor_salt_of(
        world.visitors, ingest_world_site(&world, "alice.bio"), NOW_MS, "");
    assert_memory_equal(asking.salt->bytes, bytes, sizeof(bytes));
    asking.first = 519;
    asking.count = 2;
    assert_int_equal(ingest_world_run(&world, ask, &asking), LB_OK);
    assert_int_equal(asking.numbers[0], 20);
    assert_int_equal(asking.numbers[1], 21);
    ingest_world_close(&world);
    (void)snprintf(command, sizeof(command), "%s/linkbell.db", dir);
    (void)unlink(command);
    (void)snprintf(command, sizeof(command), "%s/linkbell.lock", dir);
    (void)unlink(command);
    (void)rmdir(dir);
}

static enum lb_err end_import(void *ctx, struct db *db, struct lb_error *err)
{
    struct ingest_world *world = ctx;
    bool has_more = true;

    while (has_more) {
        enum lb_err rc =
            visitor_end_import(world->visitors, db, "one", &has_more, err);

        if (rc != LB_OK) {
            return rc;
        }
    }
    return LB_OK;
}

static int64_t count_rows(struct ingest_world *world, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t count;

    assert_int_equal(sqlite3_prepare_v2(db_handle(writer_db(world->writer)),
                                        sql, -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    count = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return count;
}

static enum lb_err sweep(void *ctx, struct db *db, struct lb_error *err)
{
    struct ingest_world *world = ctx;
    int steps = 0;

    (void)err;
    while (visitor_sweep(world->visitors, db)) {
        steps++;
    }
    assert_true(steps < 100);
    return LB_OK;
}

static void the_end_of_an_import_destroys_its_salts(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    int64_t old_ms = NOW_MS - 30 * LB_MS_PER_DAY;
    struct asking asking = {
        .world = world,
        .salt = visitor_salt_of(world->visitors, site, old_ms, "one"),
        .first = 1,
        .count = 3};
    uint8_t bytes[32];

    memcpy(bytes, asking.salt->bytes, sizeof(bytes));
    assert_int_equal(ingest_world_run(world, ask, &asking), LB_OK);
    assert_int_equal(ingest_world_run(world, end_import, world), LB_OK);
    assert_int_equal(ingest_world_run(world, sweep, world), LB_OK);
    writer_stop(world->writer);
    world->is_started = false;
    assert_int_equal(count_rows(world, "SELECT count(*) FROM salts"), 0);
    assert_int_equal(count_rows(world, "SELECT count(*) FROM visitor_hashes"),
                     0);
    assert_memory_not_equal(
        visitor_salt_of(world->visitors, site, old_ms, "one")->bytes, bytes,
        sizeof(bytes));
}

#define MANY_DAYS 1100

static enum lb_err ask_days(void *ctx, struct db *db, struct lb_error *err)
{
    struct ingest_world *world = ctx;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");

    for (int64_t day = 0; day < MANY_DAYS; day++) {
        int64_t number = 0;
        struct visitor_salt *salt = visitor_salt_of(
            world->visitors, site, NOW_MS - (30 + day) * LB_MS_PER_DAY, "one");
        enum lb_err rc =
            visitor_number(world->visitors, db, salt, 7, &number, err);

        if (rc != LB_OK) {
            return rc;
        }
        assert_int_not_equal(number, 0);
    }
    return LB_OK;
}

static enum lb_err end_step(void *ctx, struct db *db, struct lb_error *err)
{
    struct ingest_world *world = ((void **)ctx)[0];

    return visitor_end_import(world->visitors, db, "one", ((void **)ctx)[1],
                              err);
}

static enum lb_err count_salts(void *ctx, struct db *db, struct lb_error *err)
{
    (void)db;
    (void)err;
    *(int64_t *)((void **)ctx)[1] =
        count_rows(((void **)ctx)[0], "SELECT count(*) FROM salts");
    return LB_OK;
}

/* One that is run again in between finds its place free. */
static void a_long_import_ends_in_steps(void **state)
{
    struct ingest_world *world = *state;
    bool has_more = true;
    int64_t count = 0;
    int64_t before = MANY_DAYS;
    void *ending[] = {world, &has_more};
    void *counting[] = {world, &count};

    assert_int_equal(ingest_world_run(world, ask_days, world), LB_OK);
    for (int steps = 0; before > 0; steps++) {
        assert_true(steps < 10);
        assert_int_equal(ingest_world_run(world, end_step, ending), LB_OK);
        assert_int_equal(ingest_world_run(world, count_salts, counting), LB_OK);
        assert_true(count < before);
        assert_true(steps > 0 || count > MANY_DAYS / 2);
        assert_int_equal(has_more, count > 0);
        before = count;
        if (steps == 0) {
            assert_int_equal(ingest_world_run(world, ask_days, world), LB_OK);
            before = MANY_DAYS + 1;
        }
    }
    assert_int_equal(count, 0);
}

/* Live visitors came between those of the import, and some after a sweep. */
static void a_sweep_takes_hashes_without_a_salt_and_no_others(void **state)
{
    struct ingest_world *world = *state;
    const struct catalog_site *site = ingest_world_site(world, "alice.bio");
    struct many live = {
        world, visitor_salt_of(world->visitors, site, NOW_MS, ""), 0, false};
    struct many old = {world,
                       visitor_salt_of(world->visitors, site,
                                       NOW_MS - 30 * LB_MS_PER_DAY, "one"),
                       0, false};

    for (uint64_t upto = 1000; upto <= 3000; upto += 1000) {
        live.upto = upto;
        old.upto = upto;
        assert_int_equal(ingest_world_run(world, ask_many, &live), LB_OK);
        assert_int_equal(ingest_world_run(world, ask_many, &old), LB_OK);
    }
    assert_int_equal(ingest_world_run(world, sweep, world), LB_OK);
    assert_int_equal(ingest_world_run(world, end_import, world), LB_OK);
    live.upto = 3500;
    assert_int_equal(ingest_world_run(world, ask_many, &live), LB_OK);
    assert_int_equal(ingest_world_run(world, sweep, world), LB_OK);
    assert_int_equal(ingest_world_run(world, ask_many, &live), LB_OK);
    writer_stop(world->writer);
    world->is_started = false;
    assert_int_equal(count_rows(world, "SELECT count(*) FROM visitor_hashes"),
                     3500);
    assert_int_equal(count_rows(world, "SELECT count(*) FROM visitor_hashes v "
                                       "JOIN salts s ON s.number = v.salt"),
                     3500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_address_is_hashed_with_its_kind_and_network),
        TEST(the_hash_is_hmac_sha256_of_site_address_and_agent),
        TEST(of_a_user_agent_the_first_1024_bytes_count),
        TEST(a_salt_lasts_for_one_local_day_of_one_site),
        TEST(a_period_may_be_a_week_or_a_month),
        TEST(an_import_has_its_own_salt_for_closed_periods_alone),
        TEST(numbers_are_dense_and_stay),
        TEST(a_rollback_takes_numbers_and_salts_back),
        TEST(many_visitors_keep_their_numbers_in_little_memory),
        TEST(salts_of_one_period_share_its_numbers),
        TEST(a_restart_knows_salts_and_numbers),
        TEST(the_end_of_an_import_destroys_its_salts),
        TEST(a_long_import_ends_in_steps),
        TEST(a_sweep_takes_hashes_without_a_salt_and_no_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
