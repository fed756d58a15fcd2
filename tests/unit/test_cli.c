/* test_cli.c - what every verb of the command line shares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cli.h"

/* A verb with two options and up to two words. */
struct verb {
    struct lb_cli cli;
    struct lb_cli_words words;
    const char *site;
    bool is_deep;
};

static int parse(struct verb *verb, size_t word_max, const char *const *line)
{
    const struct lb_cli_option options[] = {
        {"site", "S", "one site", &verb->site, NULL},
        {"deep", NULL, "all of it", NULL, &verb->is_deep}};
    const struct lb_cli_usage usage = {"dig [--site S] [--deep]", options, 2,
                                       word_max};
    char *argv[8] = {NULL};
    int argc = 0;

    for (; line[argc] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)line[argc];
    }
    *verb = (struct verb){.cli = {.verb = "dig", .data_dir = "./data"}};
    return lb_cli_parse(&verb->cli, argc, argv, &usage, &verb->words);
}

static void an_option_takes_its_value_in_two_ways(void **state)
{
    static const char *const lines[][8] = {
        {"dig", "--site", "a.bio", NULL},
        {"dig", "--site=a.bio", NULL},
        {"dig", "--site", "b.bio", "--site", "a.bio", NULL}};
    struct verb verb;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(parse(&verb, 0, lines[i]), -1);
        assert_string_equal(verb.site, "a.bio");
        assert_false(verb.is_deep);
    }
}

static void options_that_all_verbs_share_land_in_cli(void **state)
{
    static const char *const line[] = {
        "dig", "-c", "x.yaml", "--json", "--quiet", "--data-dir=d", NULL};
    struct verb verb;

    (void)state;
    assert_int_equal(parse(&verb, 0, line), -1);
    assert_string_equal(verb.cli.config_path, "x.yaml");
    assert_string_equal(verb.cli.data_dir, "d");
    assert_true(verb.cli.is_json);
    assert_true(verb.cli.is_quiet);
}

static void words_are_left_in_their_order(void **state)
{
    static const char *const line[] = {"dig", "one", "--deep", "-", NULL};
    struct verb verb;

    (void)state;
    assert_int_equal(parse(&verb, 2, line), -1);
    assert_int_equal(verb.words.count, 2);
    assert_string_equal(verb.words.at[0], "one");
    assert_string_equal(verb.words.at[1], "-");
    assert_true(verb.is_deep);
}

static void a_line_that_no_verb_takes_is_a_wrong_usage(void **state)
{
    static const char *const lines[][8] = {
        {"dig", "--site", NULL},     {"dig", "-c", NULL},
        {"dig", "--sit", "x", NULL}, {"dig", "--", NULL},
        {"dig", "-s", NULL},         {"dig", "one", "two", NULL}};
    struct verb verb;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_int_equal(parse(&verb, 1, lines[i]), LB_CLI_USAGE);
    }
}

static void help_ends_the_verb_well(void **state)
{
    static const char *const help[] = {"dig", "--help", NULL};
    static const char *const wrong[] = {"dig", "--help", "--nope", NULL};
    struct verb verb;

    (void)state;
    assert_int_equal(parse(&verb, 0, help), LB_CLI_OK);
    assert_int_equal(parse(&verb, 0, wrong), LB_CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_takes_its_value_in_two_ways),
        cmocka_unit_test(options_that_all_verbs_share_land_in_cli),
        cmocka_unit_test(words_are_left_in_their_order),
        cmocka_unit_test(a_line_that_no_verb_takes_is_a_wrong_usage),
        cmocka_unit_test(help_ends_the_verb_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
