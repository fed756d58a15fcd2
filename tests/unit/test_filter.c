/* test_filter.c - filter expressions: what they mean and how a fault is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aggregate/filter.h"

#define SCRATCH_BYTES ((size_t)64 * 1024)

/* A click of a visitor from Belgium who came with a newsletter. */
static struct entry make_entry(void)
{
    struct entry entry = {.seq = 1, .type = ENTRY_CLICK, .is_qr = true};

    entry.text[ENTRY_TEXT_LINK] = "book-call";
    entry.text[ENTRY_TEXT_SOURCE] = "Newsletter";
    entry.text[ENTRY_TEXT_UTM_SOURCE] = "newsletter";
    entry.text[ENTRY_TEXT_UTM_CAMPAIGN] = "spring sale";
    entry.text[ENTRY_TEXT_UTM_TERM] = "Shoes";
    entry.text[ENTRY_TEXT_COUNTRY] = "BE";
    entry.text[ENTRY_TEXT_CITY] = "Li\xc3\xa8ge";
    entry.text[ENTRY_TEXT_PAGE] = "/a(b)/c";
    entry.text[ENTRY_TEXT_PROPS] =
        "{\"plan\":\"pro\",\"seats\":3,\"is_new\":true}";
    return entry;
}

static bool matches(const char *text, bool is_view_side)
{
    struct entry entry = make_entry();
    struct filter *filter = NULL;
    struct lb_error err = {LB_OK, ""};
    struct lb_buf scratch;
    bool is_match;

    if (filter_parse(text, false, &filter, &err) != LB_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    lb_buf_init(&scratch, SCRATCH_BYTES);
    is_match =
        filter_matches(filter, &entry, "alice.bio", is_view_side, &scratch);
    lb_buf_deinit(&scratch);
    filter_free(filter);
    return is_match;
}

struct meaning {
    const char *text;
    bool is_match;
};

static void
check_meanings(const struct meaning *cases, size_t count, bool is_view_side)
{
    int faults = 0;

    for (size_t i = 0; i < count; i++) {
        if (matches(cases[i].text, is_view_side) != cases[i].is_match) {
            print_error("%s should %smatch\n", cases[i].text,
                        cases[i].is_match ? "" : "not ");
            faults++;
        }
    }
    assert_int_equal(faults, 0);
}

static void a_clause_compares_a_dimension(void **state)
{
    static const struct meaning cases[] = {
        {"", true},
        {" \t\n", true},
        {"country == BE", true},
        {"country==BE", true},
        {"country == be", false},
        {"country == FR", false},
        {"country != FR", true},
        {"country != BE", false},
        {"country == [FR, BE]", true},
        {"country == [ FR ,DE ]", false},
        {"country != [FR, BE]", false},
        {"country != [FR, DE]", true},
        {"country == \"BE\"", true},
        {"country == 'BE'", true},
        {"page == \"/a(b)/c\"", true},
        {"page ~ \"(b)\"", true},
        {"page ~ \"(B)\"", false},
        {"page !~ /x", true},
        {"page !~ /c", false},
        {"page ~ [/x, /c]", true},
        {"city == Li\xc3\xa8ge", true},
        {"city ~ \xc3\xa8", true},
        {"type == click", true},
        {"type == view", false},
        {"traffic == human", true},
        {"qr == true", true},
        {"qr == false", false},
        {"site == alice.bio", true},
        {"site != alice.bio", false},
        {"link ~ call", true},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void a_row_without_a_value_is_null_and_unlike_everything(void **state)
{
    static const struct meaning cases[] = {
        {"region == null", true},        {"region != null", false},
        {"country == null", false},      {"country != null", true},
        {"region == \"null\"", false},   {"region == BE", false},
        {"region != BE", true},          {"region ~ B", false},
        {"region !~ B", true},           {"country == [null, BE]", true},
        {"region == [null, BE]", true},  {"region != [null, BE]", false},
        {"country != [null, FR]", true}, {"region == \"\"", false},
        {"prop:absent == null", true},   {"prop:absent != x", true},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void campaign_clauses_are_folded_and_others_are_not(void **state)
{
    static const struct meaning cases[] = {
        {"utm_source == Newsletter", true},
        {"utm_source ~ LETTER", true},
        {"utm_campaign == \"SPRING Sale\"", true},
        {"utm_campaign == [x, 'Spring sale']", true},
        {"utm_term == shoes", false},
        {"utm_term == Shoes", true},
        {"source == newsletter", false},
        {"city ~ LI", false},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void props_compare_as_their_text(void **state)
{
    static const struct meaning cases[] = {
        {"prop:plan == pro", true},    {"prop:plan == pr", false},
        {"prop:plan ~ r", true},       {"prop:seats == 3", true},
        {"prop:is_new == true", true}, {"prop:pla == pro", false},
        {"prop:Plan == pro", false},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void and_binds_before_or(void **state)
{
    static const struct meaning cases[] = {
        {"country == BE or country == FR and link == x", true},
        {"(country == BE or country == FR) and link == x", false},
        {"link == x and country == FR or country == BE", true},
        {"link == x and (country == FR or country == BE)", false},
        {"not country == FR", true},
        {"not not country == BE", true},
        {"not country == FR and country == BE", true},
        {"not (country == FR and country == BE)", true},
        {"not(country == BE)", false},
        {"utm_source == newsletter and not (country == [FR, DE])", true},
        {"utm_source == newsletter and not (country == [FR, BE])", false},
        {"country == BE and qr == true and type == click and link == x", false},
        {"country == A or country == B or country == BE", true},
        {"((((country == BE))))", true},
        {"country == and", false},
        {"country == \"or\" or country == BE", true},
        {"country == not", false},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void quotes_take_escapes(void **state)
{
    static const struct meaning cases[] = {
        {"country == \"\\BE\"", true},
        {"page != \"say \\\"x\\\"\"", true},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), false);
}

static void the_view_side_leaves_out_what_belongs_to_clicks(void **state)
{
    static const struct meaning cases[] = {
        {"link == x", true},
        {"not link == x", true},
        {"not (link == book-call)", true},
        {"type == view", true},
        {"qr == false", true},
        {"name == x", true},
        {"link == x and country == BE", true},
        {"link == x and country == FR", false},
        {"link == x or country == BE", true},
        {"not (link == x and country == BE)", false},
        {"(link == x or name == y) and country == BE", true},
        {"traffic == bot", false},
    };

    (void)state;
    check_meanings(cases, sizeof(cases) / sizeof(cases[0]), true);
}

static void a_filter_knows_whether_it_is_of_clicks(void **state)
{
    static const struct meaning cases[] = {
        {"country == BE", false},
        {"link == x", true},
        {"country == BE and not (source == x or qr == true)", true},
        {"name != null", true},
        {"prop:link == x", false},
        {"country == link", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct filter *filter = NULL;

        assert_int_equal(filter_parse(cases[i].text, false, &filter, NULL),
                         LB_OK);
        assert_int_equal(filter_is_of_click(filter), cases[i].is_match);
        filter_free(filter);
    }
    assert_false(filter_is_of_click(NULL));
}

static void a_fault_names_its_place_and_what_may_stand_there(void **state)
{
    static const struct {
        const char *text;
        const char *place;
        const char *hint;
    } cases[] = {
        {"country", "character 8", "=="},
        {"country =", "character 9", "=="},
        {"country = BE", "character 9", "=="},
        {"country ==", "character 11", "null"},
        {"country == ]", "character 12", "null"},
        {"countri == BE", "character 1", "country"},
        {"  countri == BE", "character 3", "country"},
        {"== BE", "character 1", "dimension"},
        {"country == [BE", "character 15", "]"},
        {"country == []", "character 13", "null"},
        {"country == [BE,]", "character 16", "null"},
        {"country == [BE FR]", "character 16", "]"},
        {"(country == BE", "character 15", ")"},
        {"country == BE)", "character 14", "and"},
        {"country == BE FR", "character 15", "and"},
        {"country == BE and", "character 18", "dimension"},
        {"not", "character 4", "dimension"},
        {"country == \"BE", "character 15", "quote"},
        {"country == 'BE\\", "character 16", "quote"},
        {"prop: == 1", "character 1", "prop:KEY"},
        {"time:day == 1", "character 1", "dimension"},
        {"country == BE or or", "character 18", "dimension"},
    };
    int faults = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct filter *filter = NULL;
        struct lb_error err = {LB_OK, ""};
        enum lb_err rc = filter_parse(cases[i].text, false, &filter, &err);

        if (rc != LB_EINVAL || filter != NULL ||
            strstr(err.text, cases[i].place) == NULL ||
            strstr(err.text, cases[i].hint) == NULL) {
            print_error("%s: not at %s with %s: %s\n", cases[i].text,
                        cases[i].place, cases[i].hint, err.text);
            faults++;
        }
        filter_free(filter);
    }
    assert_int_equal(faults, 0);
}

/* head, count times middle, tail. */
static char *
repeat(const char *head, const char *middle, int count, const char *tail)
{
    struct lb_buf text;

    lb_buf_init(&text, SCRATCH_BYTES);
    lb_buf_add_text(&text, head);
    for (int i = 0; i < count; i++) {
        lb_buf_add_text(&text, middle);
    }
    lb_buf_add_text(&text, tail);
    return lb_buf_take(&text);
}

static enum lb_err try_parse(char *text)
{
    struct filter *filter = NULL;
    struct lb_error err;
    enum lb_err rc = filter_parse(text, false, &filter, &err);

    filter_free(filter);
    free(text);
    return rc;
}

static void depth_clauses_and_length_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(try_parse(repeat("", "(", 31,
                                      "country == BE)))))))))))))))"
                                      "))))))))))))))))")),
                     LB_OK);
    assert_int_equal(try_parse(repeat("", "(", 32, "country == BE")),
                     LB_EINVAL);
    assert_int_equal(try_parse(repeat("", "not ", 31, "country == BE")), LB_OK);
    assert_int_equal(try_parse(repeat("", "not ", 32, "country == BE")),
                     LB_EINVAL);
    assert_int_equal(try_parse(repeat("", "(", 4000, "")), LB_EINVAL);
    assert_int_equal(try_parse(repeat("os == 1", " or os == 2", 199, "")),
                     LB_OK);
    assert_int_equal(try_parse(repeat("os == 1", " or os == 2", 200, "")),
                     LB_EINVAL);
    assert_int_equal(try_parse(repeat("os == [1", ",2", 199, "]")), LB_OK);
    assert_int_equal(try_parse(repeat("os == [1", ",2", 200, "]")), LB_EINVAL);
    assert_int_equal(try_parse(repeat("os == ", "x", FILTER_BYTES - 6, "")),
                     LB_OK);
    assert_int_equal(try_parse(repeat("os == ", "x", FILTER_BYTES - 5, "")),
                     LB_EINVAL);
}

/* A segment's dictionary is judged as each of its texts is. */
static void a_dictionary_is_judged_at_once(void **state)
{
    static const char raw[] = "/\0/p1\0/p12\0/p2\0/a(b)/c\0/p\0/p3";
    static const char *const questions[] = {"page == /p1",
                                            "page != /p1",
                                            "page == [/p3, /p, /no]",
                                            "page != [/p12, null]",
                                            "page == null",
                                            "page != null",
                                            "page ~ /p",
                                            "page !~ p1",
                                            "page == [null, /p3]"};
    const char *texts[8] = {NULL};
    const char *at = raw;
    size_t judged = 0;

    (void)state;
    for (size_t i = 1; i < 8; i++) {
        texts[i] = at;
        at += strlen(at) + 1;
    }
    assert_true(at == raw + sizeof(raw));
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        struct filter *filter = NULL;
        struct lb_error err = {LB_OK, ""};

        if (filter_parse(questions[i], false, &filter, &err) != LB_OK) {
            fail_msg("%s: %s", questions[i], err.text);
        }
        for (size_t count = 1; count <= 8; count++) {
            const struct filter *clause = filter_clause(filter, 0);
            uint8_t verdicts[8];

            filter_clause_judge(clause, texts, count, verdicts);
            for (size_t j = 0; j < count; j++) {
                assert_int_equal(verdicts[j],
                                 filter_clause_holds(clause, texts[j])
                                     ? FILTER_YES
                                     : FILTER_NO);
                judged += verdicts[j];
            }
        }
        filter_free(filter);
    }
    assert_true(judged > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clause_compares_a_dimension),
        cmocka_unit_test(a_row_without_a_value_is_null_and_unlike_everything),
        cmocka_unit_test(campaign_clauses_are_folded_and_others_are_not),
        cmocka_unit_test(props_compare_as_their_text),
        cmocka_unit_test(and_binds_before_or),
        cmocka_unit_test(quotes_take_escapes),
        cmocka_unit_test(the_view_side_leaves_out_what_belongs_to_clicks),
        cmocka_unit_test(a_filter_knows_whether_it_is_of_clicks),
        cmocka_unit_test(a_fault_names_its_place_and_what_may_stand_there),
        cmocka_unit_test(depth_clauses_and_length_are_bounded),
        cmocka_unit_test(a_dictionary_is_judged_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
