/* test_yaml.c - the tree, its marks, what is refused, JSON, suggestions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/yaml.h"

static struct lb_yaml *parse(const char *text)
{
    struct lb_yaml *root = NULL;
    struct lb_error err = {0};

    if (lb_yaml_parse(text, strlen(text), &root, &err) != LB_OK) {
        print_error("%s\n", err.text);
        fail();
    }
    return root;
}

static void a_tree_knows_lines_and_columns(void **state)
{
    struct lb_yaml *root = parse("server:\n"
                                 "  listen: 127.0.0.1:0\n"
                                 "sites:\n"
                                 "  - id: a.bio\n"
                                 "  - { id: 'b.bio', hosts: [x, y] }\n");
    const struct lb_yaml *listen =
        lb_yaml_find(lb_yaml_find(root, "server"), "listen");
    const struct lb_yaml *sites = lb_yaml_find(root, "sites");
    const struct lb_yaml *second = sites->child->next;
    (void)state;

    assert_int_equal(root->kind, LB_YAML_MAP);
    assert_string_equal(listen->text, "127.0.0.1:0");
    assert_int_equal(listen->line, 2);
    assert_int_equal(listen->column, 11);
    assert_int_equal(listen->key_line, 2);
    assert_int_equal(listen->key_column, 3);
    assert_false(listen->is_quoted);
    assert_int_equal(sites->kind, LB_YAML_LIST);
    assert_null(sites->child->key);
    assert_true(lb_yaml_find(second, "id")->is_quoted);
    assert_int_equal(lb_yaml_find(second, "hosts")->kind, LB_YAML_LIST);
    assert_int_equal(lb_yaml_find(second, "hosts")->line, 5);
    assert_null(second->next);
    lb_yaml_free(root);
}

static void looking_for_what_is_not_there_finds_nothing(void **state)
{
    struct lb_yaml *root = parse("a: 1\nb: [1]\n");
    (void)state;

    assert_null(lb_yaml_find(root, "c"));
    assert_null(lb_yaml_find(root, "A"));
    assert_null(lb_yaml_find(NULL, "a"));
    assert_null(lb_yaml_find(lb_yaml_find(root, "b"), "a"));
    lb_yaml_free(root);
}

static void an_empty_document_is_an_empty_map(void **state)
{
    static const char *const cases[] = {"", "# only a comment\n", "\n\n",
                                        "\xef\xbb\xbf"};
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_yaml *root = parse(cases[i]);

        assert_int_equal(root->kind, LB_YAML_MAP);
        assert_null(root->child);
        lb_yaml_free(root);
    }
}

static void what_a_configuration_must_not_hold_is_refused(void **state)
{
    static const struct {
        const char *text;
        const char *place; /* how the error begins */
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "3:1: "},
        {"x: { k: 1, k: 2 }\n", "1:12: "},
        {"a: &x 1\nb: *x\n", "2:4: "},
        {"a: &x [1]\nb: { <<: *x }\n", "2:10: "},
        {"a: 1\n---\nb: 2\n", "2:1: "},
        {"? [1, 2]\n: 3\n", "1:3: "},
        {"a: \"x\\0y\"\n", "1:4: "},
        {"a: [1, 2\n", ""},
        {"a: b: c\n", "1:5: "},
        {"\ta: 1\n", ""},
        {"a: 'x\n", ""},
        {"a: \xff\n", ""},
        {"a: 1\n b: 2\n", "2:3: "},
        {"}", ""},
        {"a: @x\n", "1:4: "},
        {"a: %x\n", "1:4: "},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_yaml *root = NULL;
        struct lb_error err = {0};
        enum lb_err rc =
            lb_yaml_parse(cases[i].text, strlen(cases[i].text), &root, &err);

        if (rc != LB_EFORMAT ||
            strncmp(err.text, cases[i].place, strlen(cases[i].place)) != 0) {
            print_error("row %zu: %s\n", i, err.text);
        }
        assert_int_equal(rc, LB_EFORMAT);
        assert_null(root);
        assert_memory_equal(err.text, cases[i].place, strlen(cases[i].place));
    }
}

static void nesting_is_bounded(void **state)
{
    char text[4096];
    struct lb_yaml *root = NULL;
    struct lb_error err;
    (void)state;

    memset(text, '[', 32);
    memset(text + 32, ']', 32);
    assert_int_equal(lb_yaml_parse(text, 64, &root, &err), LB_OK);
    lb_yaml_free(root);

    memset(text, '[', 33);
    memset(text + 33, ']', 33);
    assert_int_equal(lb_yaml_parse(text, 66, &root, &err), LB_EFORMAT);
    assert_null(root);

    memset(text, '[', sizeof(text));
    assert_int_equal(lb_yaml_parse(text, sizeof(text), &root, &err),
                     LB_EFORMAT);
    assert_null(root);
}

static void size_is_bounded(void **state)
{
    char *text = malloc(LB_YAML_BYTES + 1);
    struct lb_yaml *root = NULL;
    struct lb_error err;
    (void)state;
    assert_non_null(text);
    memset(text, '#', LB_YAML_BYTES + 1);

    assert_int_equal(lb_yaml_parse(text, LB_YAML_BYTES + 1, &root, &err),
                     LB_ELIMIT);
    assert_null(root);
    free(text);
}

static void a_tree_becomes_json(void **state)
{
    static const struct {
        const char *yaml;
        const char *json;
    } cases[] = {
        {"{}", "{}"},
        {"[]", "[]"},
        {"a: 1", "{\"a\":1}"},
        {"a: -2.5e3", "{\"a\":-2.5e3}"},
        {"a: '1'", "{\"a\":\"1\"}"},
        {"a: \"true\"", "{\"a\":\"true\"}"},
        {"a: true\nb: false", "{\"a\":true,\"b\":false}"},
        {"a:\nb: ~\nc: null\nd: ''", "{\"a\":null,\"b\":null,\"c\":null,\"d\":"
                                     "\"\"}"},
        {"a: [x, {b: [1, 2]}]", "{\"a\":[\"x\",{\"b\":[1,2]}]}"},
        /* no numbers of JSON */
        {"[0x10, 1_000, 012, .5, 1., +1, 1e999, -, .inf, .nan]",
         "[\"0x10\",\"1_000\",\"012\",\".5\",\"1.\",\"+1\",\"1e999\",\"-\","
         "\".inf\",\".nan\"]"},
        /* words that YAML 1.1 takes for truth stay words */
        {"[yes, no, on, off, True, NULL]",
         "[\"yes\",\"no\",\"on\",\"off\",\"True\",\"NULL\"]"},
        {"[2026-11-23, 12:30:00]", "[\"2026-11-23\",\"12:30:00\"]"},
        {"a: \"x\\ny\\\"z<\"", "{\"a\":\"x\\ny\\\"z\\u003c\"}"},
        {"a: |\n  two\n  lines\n", "{\"a\":\"two\\nlines\\n\"}"},
        {"a: |\n  12\n", "{\"a\":\"12\\n\"}"},
        {"plain text", "\"plain text\""},
        {"\xc3\xa9: \xe2\x82\xac", "{\"\xc3\xa9\":\"\xe2\x82\xac\"}"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lb_yaml *root = parse(cases[i].yaml);
        struct lb_json_fault fault;
        struct lb_buf buf;

        lb_buf_init(&buf, 4096);
        lb_yaml_to_json(root, &buf);

        assert_string_equal(lb_buf_text(&buf), cases[i].json);
        assert_int_equal(lb_json_check(buf.data, buf.len, 32, &fault), LB_OK);
        lb_buf_deinit(&buf);
        lb_yaml_free(root);
    }
}

static void a_misspelt_word_gets_its_neighbour(void **state)
{
    static const char *const words[] = {"retention",
                                        "rollup_retention",
                                        "keep_contact",
                                        "body_bytes",
                                        "rate",
                                        "rate_per_ip",
                                        NULL};
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {
        {"retension", "retention"},
        {"retnetion", "retention"},
        {"Retention", "retention"},
        {"keepcontact", "keep_contact"},
        {"body_byte", "body_bytes"},
        {"bodybytes", "body_bytes"},
        {"rates", "rate"},
        {"rat", "rate"},
        {"rate_per_id", "rate_per_ip"},
        {"colour", NULL},
        {"x", NULL},
        {"", NULL},
        {"a_very_long_word_that_nobody_would_ever_take_for_a_setting", NULL},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *nearest = lb_yaml_suggest(cases[i].word, words);

        if (cases[i].nearest == NULL) {
            assert_null(nearest);
        } else {
            assert_non_null(nearest);
            assert_string_equal(nearest, cases[i].nearest);
        }
    }
}

static void freeing_nothing_is_fine(void **state)
{
    (void)state;

    lb_yaml_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_knows_lines_and_columns),
        cmocka_unit_test(looking_for_what_is_not_there_finds_nothing),
        cmocka_unit_test(an_empty_document_is_an_empty_map),
        cmocka_unit_test(what_a_configuration_must_not_hold_is_refused),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(size_is_bounded),
        cmocka_unit_test(a_tree_becomes_json),
        cmocka_unit_test(a_misspelt_word_gets_its_neighbour),
        cmocka_unit_test(freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
