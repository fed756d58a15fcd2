/* test_alert_links.c - links to one act on one alert, for a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alerts/alert_links.h"

#define NOW_S INT64_C(1795800000)
#define DAYS_S(days) ((int64_t)(days)*86400)

static void make(struct alert_links *links, struct lb_config *config)
{
    struct db *db = NULL;
    struct lb_error err;

    assert_int_equal(db_open(":memory:", DB_WRITER, &db, &err), LB_OK);
    assert_int_equal(alert_links_init(db, config, links, &err), LB_OK);
    db_close(db);
}

static void a_link_is_good_for_seven_days_of_its_act_and_alert(void **state)
{
    struct lb_config config = {.public_url = "https://l.alice.bio"};
    struct alert_links links;
    struct alert_links others;
    struct lb_buf url;
    const char *key;

    (void)state;
    make(&links, &config);
    make(&others, &config);
    lb_buf_init(&url, 4096);
    alert_links_add(&links, "al_1", "ack", NOW_S, &url);
    key = strstr(lb_buf_text(&url), "?key=");
    assert_non_null(key);
    assert_int_equal(strncmp(lb_buf_text(&url),
                             "https://l.alice.bio/v1/alerts/al_1/ack?key=", 43),
                     0);
    key += 5;
    assert_true(alert_links_may(&links, "al_1", "ack", key, NOW_S));
    assert_true(
        alert_links_may(&links, "al_1", "ack", key, NOW_S + DAYS_S(7) - 1));
    assert_false(
        alert_links_may(&links, "al_1", "ack", key, NOW_S + DAYS_S(7)));
    assert_false(alert_links_may(&links, "al_2", "ack", key, NOW_S));
    assert_false(alert_links_may(&links, "al_1", "mute", key, NOW_S));
    assert_false(alert_links_may(&others, "al_1", "ack", key, NOW_S));
    lb_buf_deinit(&url);
}

static void what_is_no_key_opens_nothing(void **state)
{
    static const char *const keys[] = {
        "",
        "-",
        "7fffffff",
        "7fffffff-",
        "7fffffff-00000000000000000000000000000000",
        "-1-00000000000000000000000000000000",
        "ffffffffffffffff-00000000000000000000000000000000",
        "7fffffff-00000000000000000000000000000000000000000000000000000000000"};
    struct lb_config config = {.listen = "127.0.0.1:8787"};
    struct alert_links links;

    (void)state;
    make(&links, &config);
    assert_string_equal(links.public_url, "http://127.0.0.1:8787");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_false(alert_links_may(&links, "al_1", "ack", keys[i], NOW_S));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_good_for_seven_days_of_its_act_and_alert),
        cmocka_unit_test(what_is_no_key_opens_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
