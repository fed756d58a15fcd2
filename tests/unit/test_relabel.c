/* test_relabel.c - what the list says now of an event judged before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/bot.h"
#include "ingest/relabel.h"

#define CHROME "Chrome"

static const struct {
    const char *name;
    enum entry_traffic traffic;
    const char *reason;
    const char *entry; /* of the list; NULL: none */
    const char *browser;
    enum relabel_verdict want;
    enum entry_traffic want_traffic;
    const char *want_reason;
} cases[] = {
    {"a person without a trace of an entry", ENTRY_HUMAN, NULL, NULL, CHROME,
     RELABEL_UNKNOWN, ENTRY_HUMAN, NULL},
    {"an event of a back end", ENTRY_HUMAN, NULL, NULL, NULL, RELABEL_SAME,
     ENTRY_HUMAN, NULL},
    {"a crawler that was none", ENTRY_HUMAN, NULL, "Googlebot/", NULL,
     RELABEL_CHANGED, ENTRY_BOT, "ua"},
    {"a crawler as before", ENTRY_BOT, "ua", "Googlebot/", NULL, RELABEL_SAME,
     ENTRY_BOT, "ua"},
    {"an entry that is gone, of a browser", ENTRY_BOT, "ua", "gone", CHROME,
     RELABEL_CHANGED, ENTRY_HUMAN, NULL},
    {"an entry that is gone, of no browser", ENTRY_BOT, "ua", "gone", NULL,
     RELABEL_UNKNOWN, ENTRY_BOT, "ua"},
    {"an entry that an override drops", ENTRY_PREVIEW, "preview",
     "MetaIAB Facebook", CHROME, RELABEL_CHANGED, ENTRY_HUMAN, NULL},
    {"kept out by an override", ENTRY_HUMAN, NULL, "MetaIAB Facebook", CHROME,
     RELABEL_SAME, ENTRY_HUMAN, NULL},
    {"no user agent at all", ENTRY_BOT, "ua", BOT_ENTRY_EMPTY, NULL,
     RELABEL_SAME, ENTRY_BOT, "ua"},
    {"nothing of a browser", ENTRY_BOT, "ua", BOT_ENTRY_NO_BROWSER, NULL,
     RELABEL_SAME, ENTRY_BOT, "ua"},
    {"the owner", ENTRY_BOT, "own", "Googlebot/", NULL, RELABEL_SAME, ENTRY_BOT,
     "own"},
    {"HEAD", ENTRY_BOT, "head", "Googlebot/", NULL, RELABEL_SAME, ENTRY_BOT,
     "head"},
    {"a prefetch", ENTRY_PREFETCH, "prefetch", "Googlebot/", NULL, RELABEL_SAME,
     ENTRY_PREFETCH, "prefetch"},
    {"a burst of what is a crawler now", ENTRY_BOT, "burst", "Googlebot/", NULL,
     RELABEL_CHANGED, ENTRY_BOT, "ua"},
    {"a burst of a browser", ENTRY_BOT, "burst", NULL, CHROME, RELABEL_UNKNOWN,
     ENTRY_BOT, "burst"},
};

static void a_class_follows_the_list_as_far_as_it_can_be_told(void **state)
{
    struct relabel *relabel = relabel_new();

    (void)state;
    assert_non_null(relabel);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct entry entry = {.kind = ENTRY_EVENT, .traffic = cases[i].traffic};
        enum entry_traffic traffic = cases[i].traffic;
        const char *reason = cases[i].reason;

        entry.text[ENTRY_TEXT_REASON] = cases[i].reason;
        entry.text[ENTRY_TEXT_BROWSER] = cases[i].browser;
        entry.bot_entry =
            cases[i].entry == NULL ? 0 : bot_entry_hash(cases[i].entry);
        print_message("%s\n", cases[i].name);
        assert_int_equal(relabel_judge(relabel, &entry, &traffic, &reason),
                         cases[i].want);
        if (cases[i].want == RELABEL_CHANGED) {
            assert_int_equal(traffic, cases[i].want_traffic);
            assert_true(reason == NULL
                            ? cases[i].want_reason == NULL
                            : strcmp(reason, cases[i].want_reason) == 0);
        }
    }
    relabel_free(relabel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_follows_the_list_as_far_as_it_can_be_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
