/* test_config.c - defaults, reading over them, faults with place and hint. */
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
#include "base/config.h"

struct fixture {
    struct lb_config config;
    struct lb_config_faults faults;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct lb_error err;

    *state = fixture;
    lb_config_faults_init(&fixture->faults);
    return lb_config_init(&fixture->config, &err) == LB_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    lb_config_deinit(&fixture->config);
    lb_config_faults_deinit(&fixture->faults);
    free(fixture);
    return 0;
}

static const char *read_text(struct fixture *fixture, const char *text)
{
    struct lb_yaml *root = NULL;
    struct lb_error err = {0};

    assert_int_equal(lb_yaml_parse(text, strlen(text), &root, &err), LB_OK);
    lb_config_read(&fixture->config, root, &fixture->faults);
    lb_yaml_free(root);
    return lb_buf_text(&fixture->faults.lines);
}

static void the_defaults_are_those_of_the_manual(void **state)
{
    const struct lb_config *config = &((const struct fixture *)*state)->config;

    assert_string_equal(config->listen, "127.0.0.1:8787");
    assert_string_equal(config->data_dir, "data");
    assert_string_equal(config->sandbox, "auto");
    assert_int_equal(config->trusted_proxies.count, 0);
    assert_string_equal(config->visitor_period, "day");
    assert_true(config->retention_ms == 400 * LB_MS_PER_DAY);
    assert_true(config->rollup_retention_ms == 3650 * LB_MS_PER_DAY);
    assert_true(config->is_gpc_honoured);
    assert_true(config->is_dnt_honoured);
    assert_int_equal(config->min_n, 30);
    assert_string_equal(config->utm_case, "lower");
    assert_int_equal(config->burst_per_minute, 60);
    assert_int_equal(config->double_tap_window_ms, 10000);
}

static void the_default_limits_are_those_of_the_manual(void **state)
{
    const struct lb_config *config = &((const struct fixture *)*state)->config;

    assert_int_equal(config->request_line_bytes, 8192);
    assert_int_equal(config->header_bytes, 32768);
    assert_int_equal(config->header_count, 100);
    assert_int_equal(config->header_timeout_ms, 10000);
    assert_int_equal(config->body_timeout_ms, 30000);
    assert_int_equal(config->idle_timeout_ms, 75000);
    assert_int_equal(config->write_timeout_ms, 30000);
    assert_int_equal(config->body_bytes, 8 << 20);
    assert_int_equal(config->body_inflated_bytes, 32 << 20);
    assert_int_equal(config->events_per_request, 10000);
    assert_int_equal(config->event_bytes, 65536);
    assert_int_equal(config->json_depth, 32);
    assert_int_equal(config->text_bytes, 256);
    assert_int_equal(config->connections, 8192);
    assert_int_equal(config->connections_per_ip, 0);
    assert_int_equal(config->pipeline, 128);
    assert_int_equal(config->rate, 0);
    assert_int_equal(config->rate_per_source, 0);
    assert_int_equal(config->rate_per_ip, 0);
    assert_int_equal(config->queue_events, 100000);
    assert_int_equal(config->queue_bytes, 16 << 20);
    assert_int_equal(config->inflight_bytes, 64 << 20);
    assert_true(config->dedupe_window_ms == 72 * LB_MS_PER_HOUR);
    assert_int_equal(config->dedupe_ids, 4000000);
    assert_int_equal(config->max_db_bytes, 0);
    assert_int_equal(config->disk_reserve_bytes, 64 << 20);
    assert_int_equal(config->query_timeout_ms, 30000);
}

static void the_default_delivery_is_that_of_the_manual(void **state)
{
    const struct lb_config *config = &((const struct fixture *)*state)->config;

    assert_int_equal(config->max_in_flight, 256);
    assert_true(config->keep_delivered_ms == 30 * LB_MS_PER_DAY);
    assert_true(config->keep_dead_ms == 90 * LB_MS_PER_DAY);
    assert_true(config->jitter > 0.19 && config->jitter < 0.21);
    assert_int_equal(config->breaker_failures, 5);
    assert_int_equal(config->breaker_probe.count, 5);
    assert_string_equal(config->breaker_probe.values[0], "30s");
    assert_string_equal(config->breaker_probe.values[4], "5m");
    assert_true(config->disable_after_ms == 5 * LB_MS_PER_DAY);
    assert_int_equal(config->response_limit_bytes, 65536);
    assert_int_equal(config->transform_time_ms, 1000);
    assert_int_equal(config->transform_bytes, 64 << 20);
}

static void a_file_is_read_over_the_defaults(void **state)
{
    struct fixture *fixture = *state;
    const struct lb_config *config = &fixture->config;

    const char *faults = read_text(
        fixture, "server: { listen: '127.0.0.1:0', trusted_proxies: [10.0.0.0/8"
                 ", 127.0.0.1] }\n"
                 "privacy: { visitor_period: week, retention: 0, honour_gpc: "
                 "false, keep_contact: [email, name] }\n"
                 "geo: { database: a.mmdb }\n"
                 "limits: { body_bytes: 64KiB, rate: 100, idle_timeout: 500ms "
                 "}\n"
                 "delivery:\n"
                 "  jitter: 0\n"
                 "  breaker: { failures: 2, probe: [10ms] }\n"
                 "sites: [{ id: alice.bio }]\n"
                 "sources: []\n"
                 "destinations: []\n"
                 "rules: []\n");

    assert_string_equal(faults, "");
    assert_int_equal(fixture->faults.count, 0);
    assert_string_equal(config->listen, "127.0.0.1:0");
    assert_int_equal(config->trusted_proxies.count, 2);
    assert_string_equal(config->trusted_proxies.values[1], "127.0.0.1");
    assert_string_equal(config->visitor_period, "week");
    assert_int_equal(config->retention_ms, 0);
    assert_false(config->is_gpc_honoured);
    assert_true(config->is_dnt_honoured);
    assert_int_equal(config->keep_contact.count, 2);
    assert_int_equal(config->geo_database.count, 1);
    assert_string_equal(config->geo_database.values[0], "a.mmdb");
    assert_int_equal(config->body_bytes, 65536);
    assert_int_equal(config->rate, 100);
    assert_int_equal(config->idle_timeout_ms, 500);
    assert_true(config->jitter < 0.0001);
    assert_int_equal(config->breaker_failures, 2);
    assert_int_equal(config->breaker_probe.count, 1);
    assert_int_equal(config->header_count, 100);
}

static void each_fault_has_place_name_and_what_would_do(void **state)
{
    static const struct {
        const char *text;
        const char *fault;
        const char *hint; /* stands somewhere in the fault */
    } cases[] = {
        {"limits: { body_byte: 1MiB }\n",
         "1:11: limits.body_byte: ", "did you mean body_bytes?"},
        {"limit:\n  rate: 1\n", "1:1: limit: ", "did you mean limits?"},
        {"site: []\n", "1:1: site: ", "did you mean sites?"},
        {"quux: 1\n", "1:1: quux: ", "is no setting\n"},
        {"delivery: { breaker: { failure: 1 } }\n",
         "1:24: delivery.breaker.failure: ", "did you mean failures?"},
        {"limits:\n  body_bytes: 8MB\n", "2:15: limits.body_bytes: ", "8MiB"},
        {"limits: { body_bytes: 1 }\n",
         "1:23: limits.body_bytes: ", "from 1KiB to 1GiB"},
        {"limits: { idle_timeout: 30 }\n",
         "1:25: limits.idle_timeout: ", "duration"},
        {"limits: { idle_timeout: 5ms }\n",
         "1:25: limits.idle_timeout: ", "10ms"},
        {"limits: { json_depth: 2 }\n", "1:23: limits.json_depth: ", "3"},
        {"limits: { json_depth: many }\n",
         "1:23: limits.json_depth: ", "whole number"},
        {"limits: { rate: -1 }\n", "1:17: limits.rate: ", "from 0"},
        {"privacy: { visitor_period: year }\n",
         "1:28: privacy.visitor_period: ", "day|week|month"},
        {"privacy: { honour_gpc: yes }\n",
         "1:24: privacy.honour_gpc: ", "true or false"},
        {"delivery: { jitter: 1.5 }\n", "1:21: delivery.jitter: ", "0 to 1"},
        {"delivery: { jitter: nan }\n", "1:21: delivery.jitter: ", "0 to 1"},
        {"server: { listen: [a] }\n", "1:19: server.listen: ", "one value"},
        {"server: { trusted_proxies: { a: 1 } }\n",
         "1:28: server.trusted_proxies: ", "list"},
        {"server: { trusted_proxies: [[a]] }\n",
         "1:28: server.trusted_proxies: ", "list"},
        {"server: 8787\n", "1:9: server: ", "keys and values"},
        {"[1, 2]\n", "1:1: ", "sections"},
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *fault = read_text(fixture, cases[i].text);

        if (strncmp(fault, cases[i].fault, strlen(cases[i].fault)) != 0 ||
            strstr(fault, cases[i].hint) == NULL) {
            print_error("row %zu: %s\n", i, fault);
            fail();
        }
        assert_int_equal(fixture->faults.count, i + 1);
        assert_int_equal(fault[strlen(fault) - 1], '\n');
        lb_buf_clear(&fixture->faults.lines);
    }
}

static void a_fault_leaves_its_setting_and_the_rest_is_read(void **state)
{
    struct fixture *fixture = *state;

    const char *faults = read_text(fixture, "limits:\n"
                                            "  body_bytes: none\n"
                                            "  rate: x\n"
                                            "  pipeline: 4\n"
                                            "stats: { min_n: 0 }\n");

    assert_int_equal(fixture->faults.count, 3);
    assert_non_null(strstr(faults, "2:15: limits.body_bytes: "));
    assert_non_null(strstr(faults, "3:9: limits.rate: "));
    assert_non_null(strstr(faults, "5:17: stats.min_n: "));
    assert_int_equal(fixture->config.body_bytes, 8 << 20);
    assert_int_equal(fixture->config.rate, 0);
    assert_int_equal(fixture->config.min_n, 30);
    assert_int_equal(fixture->config.pipeline, 4);
}

static void a_text_past_its_room_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char address[LB_CONFIG_TEXT_BYTES + 1];
    char text[LB_CONFIG_TEXT_BYTES + 100];

    memset(address, 'x', sizeof(address));
    address[sizeof(address) - 1] = '\0';
    (void)snprintf(text, sizeof(text), "server: { public_url: %s }\n", address);
    (void)read_text(fixture, text);

    assert_int_equal(fixture->faults.count, 1);
    assert_string_equal(fixture->config.public_url, "");
}

static void a_list_past_its_room_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct lb_buf text;

    lb_buf_init(&text, 4096);
    lb_buf_add_text(&text, "delivery:\n  fallback:\n");
    for (int i = 0; i <= LB_CONFIG_LIST_MAX; i++) {
        lb_buf_printf(&text, "    - d%d\n", i);
    }
    (void)read_text(fixture, lb_buf_text(&text));

    assert_int_equal(fixture->faults.count, 1);
    lb_buf_deinit(&text);
}

static void durations_have_their_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"250ms", 250},
        {"30s", 30000},
        {"15m", 900000},
        {"72h", 72 * LB_MS_PER_HOUR},
        {"400d", 400 * LB_MS_PER_DAY},
        {"2w", 14 * LB_MS_PER_DAY},
        {"10y", 3650 * LB_MS_PER_DAY},
        {"007s", 7000},
        {"", -1},
        {"s", -1},
        {"5", -1},
        {"-5s", -1},
        {"+5s", -1},
        {"1.5h", -1},
        {"5 s", -1},
        {" 5s", -1},
        {"5s ", -1},
        {"5S", -1},
        {"5M", -1},
        {"5min", -1},
        {"1h30m", -1},
        {"1e3s", -1},
        {"99999999999999999999s", -1},
        {"9223372036854775807y", -1},
        {"92233720368547758y", -1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = -1;
        bool is_taken = lb_config_parse_duration(cases[i].text, &ms);

        if (is_taken != (cases[i].ms >= 0) || ms != cases[i].ms) {
            print_error("row %zu: %s\n", i, cases[i].text);
            fail();
        }
    }
}

static void sizes_have_their_units(void **state)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {
        {"0", 0},
        {"65536", 65536},
        {"64KiB", 65536},
        {"8MiB", 8 << 20},
        {"4GiB", INT64_C(4) << 30},
        {"", -1},
        {"KiB", -1},
        {"8MB", -1},
        {"8M", -1},
        {"8 MiB", -1},
        {"8mib", -1},
        {"-1", -1},
        {"1.5MiB", -1},
        {"9999999999999GiB", -1},
        {"8TiB", -1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t bytes = -1;
        bool is_taken = lb_config_parse_size(cases[i].text, &bytes);

        assert_int_equal(is_taken, cases[i].bytes >= 0);
        assert_true(bytes == cases[i].bytes);
    }
}

static void rates_are_thousandths_a_second(void **state)
{
    static const struct {
        const char *text;
        int64_t milli;
    } cases[] = {
        {"1/s", 1000},    {"60/m", 1000},    {"30/m", 500},
        {"3600/h", 1000}, {"86400/d", 1000}, {"100/10s", 10000},
        {"0/s", 0},       {"", -1},          {"1", -1},
        {"/s", -1},       {"1/", -1},        {"1/x", -1},
        {"1/sec", -1},    {"-1/s", -1},      {"1.5/s", -1},
        {"1/0s", -1},     {"1 /s", -1},      {"99999999999999999999/s", -1},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t milli = -1;
        bool is_taken = lb_config_parse_rate(cases[i].text, &milli);

        assert_int_equal(is_taken, cases[i].milli >= 0);
        assert_true(milli == cases[i].milli);
    }
}

static void the_help_is_a_table_of_every_setting(void **state)
{
    struct lb_buf help;
    size_t lines = 0;
    (void)state;
    lb_buf_init(&help, (size_t)64 * 1024);

    lb_config_help(&help);

    assert_false(help.is_failed);
    assert_non_null(strstr(help.data, "| `limits.body_bytes` | `8MiB` | 1KiB "
                                      "to 1GiB | "));
    assert_non_null(strstr(help.data,
                           "| `privacy.visitor_period` | `day` | day, week, "
                           "month | "));
    assert_non_null(strstr(help.data, "| `server.public_url` | none | "));
    for (const char *c = help.data; *c != '\0';) {
        const char *end = strchr(c, '\n');
        size_t bars = 0;

        assert_non_null(end);
        for (; c < end; c++) {
            bars += *c == '|' ? 1 : 0;
        }
        assert_int_equal(bars, 5);
        c = end + 1;
        lines++;
    }
    assert_in_range(lines, 50, 80);
    lb_buf_deinit(&help);
}

static void a_file_is_loaded_and_its_faults_name_it(void **state)
{
    char path[] = "/tmp/test_config_XXXXXX";
    struct lb_yaml *root = NULL;
    struct lb_error err = {0};
    char expected[64];
    int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);

    assert_int_equal(write(fd, "a: 1\n", 5), 5);
    assert_int_equal(lb_config_load_file(path, &root, &err), LB_OK);
    assert_string_equal(lb_yaml_find(root, "a")->text, "1");
    lb_yaml_free(root);

    assert_int_equal(write(fd, "a: 2\n", 5), 5);
    assert_int_equal(lb_config_load_file(path, &root, &err), LB_EFORMAT);
    assert_null(root);
    (void)snprintf(expected, sizeof(expected), "%s:2:1: ", path);
    assert_memory_equal(err.text, expected, strlen(expected));

    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lb_config_load_file(path, &root, &err), LB_ENOENT);
    assert_null(root);
    assert_non_null(strstr(err.text, path));
    assert_int_not_equal(lb_config_load_file("/tmp", &root, &err), LB_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_defaults_are_those_of_the_manual),
        TEST(the_default_limits_are_those_of_the_manual),
        TEST(the_default_delivery_is_that_of_the_manual),
        TEST(a_file_is_read_over_the_defaults),
        TEST(each_fault_has_place_name_and_what_would_do),
        TEST(a_fault_leaves_its_setting_and_the_rest_is_read),
        TEST(a_text_past_its_room_is_refused),
        TEST(a_list_past_its_room_is_refused),
        cmocka_unit_test(durations_have_their_units),
        cmocka_unit_test(sizes_have_their_units),
        cmocka_unit_test(rates_are_thousandths_a_second),
        cmocka_unit_test(the_help_is_a_table_of_every_setting),
        cmocka_unit_test(a_file_is_loaded_and_its_faults_name_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
