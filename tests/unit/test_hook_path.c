/* test_hook_path.c - paths into a JSON body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/hook_path.h"

#define BODY                                                                   \
    "{\"a\":{\"b\":[{\"c\":\"one\"},{\"c\":\"two\"}],\"d e\":\"space\"},"      \
    "\"list\":[[1,2],[3]],\"n\":null,\"twice\":1,\"twice\":2,\"A\":\"upper\"," \
    "\"ab\":\"longer\"}"

static void a_path_leads_to_its_value(void **state)
{
    static const struct {
        const char *path;
        const char *want; /* the value's text; NULL: nothing is found */
    } cases[] = {
        {"$.a.b[0].c", "\"one\""},
        {"$.a.b[1].c", "\"two\""},
        {"$.a.b[2].c", NULL},
        {"$.a.b[01].c", "\"two\""},
        {"$.a.d e", "\"space\""},
        {"$.list[0][1]", "2"},
        {"$.list[1][0]", "3"},
        {"$.n", "null"},
        {"$.A", "\"upper\""},
        {"$.ab", "\"longer\""},
        {"$.a.missing", NULL},
        {"$.a.b.c", NULL},
        {"$.a[0]", NULL},
        {"$.n.x", NULL},
        {"$.list[999999]", NULL},
        {"a", NULL},
        {"", NULL},
        {"$.", NULL},
        {"$.a..b", NULL},
        {"$.a[x]", NULL},
    };
    cJSON *body = cJSON_Parse(BODY);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_twice = false;
        const cJSON *found = hook_path_find(body, cases[i].path, &is_twice);
        char *text = found == NULL ? NULL : cJSON_PrintUnformatted(found);

        if (cases[i].want == NULL
                ? text != NULL
                : text == NULL || strcmp(text, cases[i].want) != 0) {
            fail_msg("%s: %s", cases[i].path, text == NULL ? "nothing" : text);
        }
        assert_false(is_twice);
        cJSON_free(text);
    }
    cJSON_Delete(body);
}

static void the_root_is_a_path(void **state)
{
    cJSON *body = cJSON_Parse("[1]");
    bool is_twice = false;

    (void)state;
    assert_ptr_equal(hook_path_find(body, "$", &is_twice), body);
    assert_int_equal(hook_path_find(body, "$[0]", &is_twice)->valueint, 1);
    cJSON_Delete(body);
}

static void a_key_that_stands_twice_is_told(void **state)
{
    cJSON *body = cJSON_Parse(BODY);
    bool is_twice = false;

    (void)state;
    assert_null(hook_path_find(body, "$.twice", &is_twice));
    assert_true(is_twice);
    cJSON_Delete(body);
}

static void what_is_no_path_is_a_constant(void **state)
{
    static const struct {
        const char *text;
        bool is_path;
        bool is_well;
    } cases[] = {
        {"$", true, true},
        {"$.a", true, true},
        {"$[0]", true, true},
        {"$.a.b[0].c", true, true},
        {"$.", true, false},
        {"$.a.", true, false},
        {"$..a", true, false},
        {"$.a[", true, false},
        {"$.a[]", true, false},
        {"$.a[-1]", true, false},
        {"$.a[0", true, false},
        {"$.a]", true, false},
        {"$.a[1234567]", true, false},
        {"$[0]a", true, false},
        {"$5 off", false, false},
        {"", false, false},
        {"lead", false, false},
        {" $.a", false, false},
        {"$a", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (hook_path_is_path(cases[i].text) != cases[i].is_path ||
            (cases[i].is_path &&
             (hook_path_fault(cases[i].text) == NULL) != cases[i].is_well)) {
            fail_msg("%s", cases[i].text);
        }
    }
    assert_non_null(hook_path_fault("a.b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_leads_to_its_value),
        cmocka_unit_test(the_root_is_a_path),
        cmocka_unit_test(a_key_that_stands_twice_is_told),
        cmocka_unit_test(what_is_no_path_is_a_constant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
