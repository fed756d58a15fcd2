/* test_decide.c - what depends on a visitor's earlier events: inherited
 * attribution, visits, double taps, orphan clicks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ingest/decide.h"
#include "tests/support/heap.h"

#define T0 INT64_C(1700000000000)
#define TAP_MS INT64_C(10000)
#define HALF_HOUR (LB_MS_PER_HOUR / 2)

/* Numbers of sources and campaigns, as a dictionary would give them. */
#define DIRECT 1
#define NEWSLETTER 2
#define TWITTER 3
#define SPRING 20

struct world {
    struct decide *decide;
    int64_t seq;
};

static int set_up(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->decide = decide_new(TAP_MS);
    assert_non_null(world->decide);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    decide_free(world->decide);
    free(world);
    return 0;
}

static struct entry event_at(enum entry_type type, int64_t visitor, int64_t ms)
{
    struct entry entry = {.kind = ENTRY_EVENT,
                          .type = type,
                          .site = 1,
                          .visitor = visitor,
                          .visitor_day = 19000,
                          .ts_at_ms = T0 + ms,
                          .received_at_ms = T0 + ms};

    entry.dict[ENTRY_DICT_SOURCE] = DIRECT;
    entry.dict[ENTRY_DICT_CHANNEL] = DIRECT;
    return entry;
}

static void inherit(struct entry *entry, const struct decide_attribution *from)
{
    static const enum entry_dict dicts[5] = {
        ENTRY_DICT_SOURCE, ENTRY_DICT_CHANNEL, ENTRY_DICT_UTM_SOURCE,
        ENTRY_DICT_UTM_MEDIUM, ENTRY_DICT_UTM_CAMPAIGN};
    static const enum entry_text texts[4] = {
        ENTRY_TEXT_REFERRER, ENTRY_TEXT_UTM_TERM, ENTRY_TEXT_UTM_CONTENT,
        ENTRY_TEXT_CLICK_ID};

    for (int i = 0; i < 5; i++) {
        entry->dict[dicts[i]] = from->dict[i];
    }
    for (int i = 0; i < 4; i++) {
        entry->text[texts[i]] = from->text[i];
    }
}

/* Decides, inherits and remembers, as the append does.  True: it inherited. */
static bool
append(struct world *world, struct entry *entry, enum decide_own own)
{
    const struct decide_attribution *from = NULL;

    decide_event(world->decide, entry, own, &from);
    if (from != NULL) {
        inherit(entry, from);
    }
    entry->seq = ++world->seq;
    assert_int_equal(decide_remember(world->decide, entry), LB_OK);
    return from != NULL;
}

/* The same in a transaction of its own. */
static bool send(struct world *world, struct entry *entry, enum decide_own own)
{
    bool is_inherited = append(world, entry, own);

    decide_commit(world->decide);
    return is_inherited;
}

static void view_from_newsletter(struct world *world, int64_t ms)
{
    struct entry view = event_at(ENTRY_VIEW, 7, ms);

    view.dict[ENTRY_DICT_SOURCE] = NEWSLETTER;
    view.dict[ENTRY_DICT_UTM_SOURCE] = NEWSLETTER;
    view.dict[ENTRY_DICT_UTM_CAMPAIGN] = SPRING;
    view.text[ENTRY_TEXT_UTM_TERM] = "shoes";
    (void)send(world, &view, DECIDE_OWN_CAMPAIGN);
}

static void an_event_without_anything_of_its_own_inherits(void **state)
{
    struct world *world = *state;
    struct entry click = event_at(ENTRY_CLICK, 7, 60000);

    view_from_newsletter(world, 0);
    assert_true(append(world, &click, DECIDE_OWN_NOTHING));
    assert_int_equal(click.dict[ENTRY_DICT_SOURCE], NEWSLETTER);
    assert_int_equal(click.dict[ENTRY_DICT_UTM_CAMPAIGN], SPRING);
    assert_string_equal(click.text[ENTRY_TEXT_UTM_TERM], "shoes");
    assert_null(click.text[ENTRY_TEXT_UTM_CONTENT]);
}

static void inheritance_ends_after_30_minutes_by_ts(void **state)
{
    static const struct {
        int64_t after_ms;
        bool is_inherited;
    } cases[] = {{HALF_HOUR, true},
                 {HALF_HOUR + 1, false},
                 {-HALF_HOUR, true},
                 {-HALF_HOUR - 1, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world = {decide_new(TAP_MS), 0};
        struct entry lead = event_at(ENTRY_LEAD, 7, 1000);

        view_from_newsletter(&world, 0);
        lead.ts_at_ms = T0 + cases[i].after_ms;
        if (send(&world, &lead, DECIDE_OWN_NOTHING) != cases[i].is_inherited) {
            print_error("row %zu\n", i);
            fail();
        }
        decide_free(world.decide);
    }
}

static void each_inherited_event_extends_the_window(void **state)
{
    struct world *world = *state;

    view_from_newsletter(world, 0);
    for (int i = 1; i <= 5; i++) {
        struct entry view = event_at(ENTRY_VIEW, 7, i * 25 * LB_MS_PER_MIN);

        assert_true(send(world, &view, DECIDE_OWN_NOTHING));
        assert_int_equal(view.dict[ENTRY_DICT_SOURCE], NEWSLETTER);
        assert_false(view.is_visit_start);
    }
}

static void
what_was_received_more_than_30_minutes_ago_is_forgotten(void **state)
{
    struct world *world = *state;
    struct entry late = event_at(ENTRY_CLICK, 7, 60000);

    view_from_newsletter(world, 0);
    late.received_at_ms = T0 + HALF_HOUR + 1;
    assert_false(send(world, &late, DECIDE_OWN_NOTHING));
    assert_true(late.is_orphan);
    assert_true(late.is_visit_start);
}

static void
the_latest_event_by_ts_gives_and_a_tie_goes_to_the_later_arrival(void **state)
{
    struct world *world = *state;
    struct entry late = event_at(ENTRY_VIEW, 7, 0);
    struct entry tie = event_at(ENTRY_VIEW, 7, 60000);
    struct entry first = event_at(ENTRY_CLICK, 7, 120000);
    struct entry second = event_at(ENTRY_CLICK, 7, 130000);

    view_from_newsletter(world, 60000);
    late.received_at_ms = T0 + 70000;
    late.dict[ENTRY_DICT_SOURCE] = TWITTER;
    (void)send(world, &late, DECIDE_OWN_CAMPAIGN);
    assert_true(send(world, &first, DECIDE_OWN_NOTHING));
    assert_int_equal(first.dict[ENTRY_DICT_SOURCE], NEWSLETTER);
    tie.ts_at_ms = first.ts_at_ms;
    tie.dict[ENTRY_DICT_SOURCE] = TWITTER;
    (void)send(world, &tie, DECIDE_OWN_CAMPAIGN);
    assert_true(send(world, &second, DECIDE_OWN_NOTHING));
    assert_int_equal(second.dict[ENTRY_DICT_SOURCE], TWITTER);
}

static void a_referrer_that_repeats_is_nothing_new(void **state)
{
    struct world *world = *state;
    struct entry first = event_at(ENTRY_VIEW, 7, 0);
    struct entry repeat = event_at(ENTRY_VIEW, 7, 60000);
    struct entry other = event_at(ENTRY_VIEW, 7, 120000);

    first.dict[ENTRY_DICT_SOURCE] = NEWSLETTER;
    first.text[ENTRY_TEXT_REFERRER] = "news.example/7";
    (void)send(world, &first, DECIDE_OWN_CAMPAIGN);
    repeat.dict[ENTRY_DICT_SOURCE] = TWITTER;
    repeat.text[ENTRY_TEXT_REFERRER] = "news.example/7";
    assert_true(send(world, &repeat, DECIDE_OWN_REFERRER));
    assert_int_equal(repeat.dict[ENTRY_DICT_SOURCE], NEWSLETTER);
    other.dict[ENTRY_DICT_SOURCE] = TWITTER;
    other.text[ENTRY_TEXT_REFERRER] = "t.co/x";
    assert_false(send(world, &other, DECIDE_OWN_REFERRER));
    assert_true(other.is_visit_start);
}

static void a_campaign_of_its_own_is_never_replaced(void **state)
{
    struct world *world = *state;
    struct entry click = event_at(ENTRY_CLICK, 7, 1000);

    view_from_newsletter(world, 0);
    click.dict[ENTRY_DICT_SOURCE] = TWITTER;
    assert_false(send(world, &click, DECIDE_OWN_CAMPAIGN));
    assert_int_equal(click.dict[ENTRY_DICT_SOURCE], TWITTER);
}

static void other_sites_visitors_and_periods_give_nothing(void **state)
{
    struct world *world = *state;
    struct entry other[4];

    view_from_newsletter(world, 0);
    for (int i = 0; i < 4; i++) {
        other[i] = event_at(ENTRY_CLICK, i == 0 ? 8 : 7, 1000 + i);
    }
    other[1].site = 2;
    other[2].visitor_day++;
    other[3].visitor = 0;
    for (int i = 0; i < 4; i++) {
        assert_false(send(world, &other[i], DECIDE_OWN_NOTHING));
        assert_int_equal(other[i].is_orphan, i < 3);
        assert_int_equal(other[i].is_visit_start, i < 3);
    }
}

static void only_human_events_give_and_take(void **state)
{
    struct world *world = *state;
    struct entry bot = event_at(ENTRY_CLICK, 7, 1000);
    struct entry bot_view = event_at(ENTRY_VIEW, 9, 0);
    struct entry human = event_at(ENTRY_CLICK, 9, 1000);

    view_from_newsletter(world, 0);
    bot.traffic = ENTRY_BOT;
    assert_false(send(world, &bot, DECIDE_OWN_NOTHING));
    assert_true(bot.is_orphan);
    bot_view.traffic = ENTRY_PREVIEW;
    bot_view.dict[ENTRY_DICT_SOURCE] = TWITTER;
    (void)send(world, &bot_view, DECIDE_OWN_CAMPAIGN);
    assert_false(send(world, &human, DECIDE_OWN_NOTHING));
    assert_true(human.is_orphan);
}

static bool
tap(struct world *world, int64_t link, int64_t ms, enum entry_type type)
{
    struct entry entry = event_at(type, 7, ms);

    entry.dict[ENTRY_DICT_LINK] = link;
    (void)send(world, &entry, DECIDE_OWN_NOTHING);
    return entry.is_double_tap;
}

static void a_double_tap_is_measured_from_the_last_counted_click(void **state)
{
    struct world *world = *state;

    assert_false(tap(world, 5, 0, ENTRY_CLICK));
    assert_true(tap(world, 5, 6000, ENTRY_CLICK));
    assert_true(tap(world, 5, 9999, ENTRY_CLICK));
    /* Not counted ones prolong nothing. */
    assert_false(tap(world, 5, 10000, ENTRY_CLICK));
    assert_true(tap(world, 5, 12000, ENTRY_CLICK));
    assert_true(tap(world, 5, 1000, ENTRY_CLICK));
}

static void a_tap_on_another_link_or_of_another_type_counts(void **state)
{
    struct world *world = *state;

    assert_false(tap(world, 5, 0, ENTRY_CLICK));
    assert_false(tap(world, 6, 100, ENTRY_CLICK));
    assert_false(tap(world, 0, 150, ENTRY_CLICK));
    assert_false(tap(world, 5, 200, ENTRY_LEAD));
    assert_true(tap(world, 5, 300, ENTRY_CLICK));
    assert_true(tap(world, 6, 300, ENTRY_CLICK));
    assert_true(tap(world, 0, 300, ENTRY_CLICK));
}

/* Whoever runs down a list of links and begins again. */
static void taps_on_many_links_are_kept_apart(void **state)
{
    struct world *world = *state;

    for (int64_t link = 1; link <= 6; link++) {
        assert_false(tap(world, link, link * 100, ENTRY_CLICK));
    }
    for (int64_t link = 1; link <= 6; link++) {
        assert_true(tap(world, link, 2000 + link * 100, ENTRY_CLICK));
    }
}

static void the_double_tap_window_is_a_setting(void **state)
{
    struct world *world = *state;

    decide_set_double_tap(world->decide, 1000);
    assert_false(tap(world, 5, 0, ENTRY_CLICK));
    assert_true(tap(world, 5, 999, ENTRY_CLICK));
    assert_false(tap(world, 5, 1000, ENTRY_CLICK));
}

static void
a_click_is_an_orphan_without_a_view_in_the_30_minutes_before(void **state)
{
    static const struct {
        int64_t view_ms;
        int64_t click_ms;
        bool is_orphan;
    } cases[] = {
        {0, 0, false},         {0, 1, false},
        {0, HALF_HOUR, false}, {0, HALF_HOUR + 1, true},
        {1, 0, true}, /* only a view before the click counts */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct world world = {decide_new(TAP_MS), 0};
        struct entry view = event_at(ENTRY_VIEW, 7, cases[i].view_ms);
        struct entry click = event_at(ENTRY_CLICK, 7, cases[i].click_ms);

        view.received_at_ms = click.received_at_ms = T0;
        (void)send(&world, &view, DECIDE_OWN_NOTHING);
        (void)send(&world, &click, DECIDE_OWN_NOTHING);
        if (click.is_orphan != cases[i].is_orphan) {
            print_error("row %zu\n", i);
            fail();
        }
        decide_free(world.decide);
    }
}

static void views_leads_and_conversions_are_no_orphans(void **state)
{
    struct world *world = *state;
    static const enum entry_type types[] = {ENTRY_VIEW, ENTRY_LEAD,
                                            ENTRY_CONVERSION};

    for (int i = 0; i < 3; i++) {
        struct entry entry = event_at(types[i], 100 + i, 0);

        (void)send(world, &entry, DECIDE_OWN_NOTHING);
        assert_false(entry.is_orphan);
        assert_true(entry.is_visit_start);
    }
}

static void
a_visit_ends_with_another_source_or_campaign_of_its_own(void **state)
{
    static const enum entry_dict fields[] = {
        ENTRY_DICT_SOURCE, ENTRY_DICT_UTM_SOURCE, ENTRY_DICT_UTM_MEDIUM,
        ENTRY_DICT_UTM_CAMPAIGN};
    struct world *world = *state;
    struct entry same = event_at(ENTRY_VIEW, 7, 1000);
    struct entry other;

    view_from_newsletter(world, 0);
    same.dict[ENTRY_DICT_SOURCE] = NEWSLETTER;
    same.dict[ENTRY_DICT_UTM_SOURCE] = NEWSLETTER;
    same.dict[ENTRY_DICT_UTM_CAMPAIGN] = SPRING;
    same.text[ENTRY_TEXT_UTM_TERM] = "shoes";
    (void)send(world, &same, DECIDE_OWN_CAMPAIGN);
    assert_false(same.is_visit_start);
    for (int i = 0; i < 4; i++) {
        other = same;
        other.ts_at_ms += 1000 + i;
        other.dict[fields[i]] = 90 + i;
        (void)send(world, &other, DECIDE_OWN_CAMPAIGN);
        assert_true(other.is_visit_start);
        same.ts_at_ms = other.ts_at_ms;
        (void)send(world, &same, DECIDE_OWN_CAMPAIGN);
        assert_true(same.is_visit_start);
    }
    other = same;
    other.text[ENTRY_TEXT_UTM_TERM] = "boots";
    (void)send(world, &other, DECIDE_OWN_CAMPAIGN);
    assert_true(other.is_visit_start);
}

static void a_rollback_takes_everything_back(void **state)
{
    struct world *world = *state;
    struct entry campaign = event_at(ENTRY_VIEW, 7, 2000);
    struct entry stranger = event_at(ENTRY_VIEW, 8, 2000);
    struct entry click = event_at(ENTRY_CLICK, 7, 3000);
    struct entry orphan = event_at(ENTRY_CLICK, 8, 3000);
    struct entry undone_click = event_at(ENTRY_CLICK, 7, 2500);

    view_from_newsletter(world, 0);
    campaign.dict[ENTRY_DICT_SOURCE] = TWITTER;
    campaign.text[ENTRY_TEXT_UTM_TERM] = "boots";
    (void)append(world, &campaign, DECIDE_OWN_CAMPAIGN);
    campaign.text[ENTRY_TEXT_UTM_TERM] = "hats";
    (void)append(world, &campaign, DECIDE_OWN_CAMPAIGN);
    (void)append(world, &stranger, DECIDE_OWN_CAMPAIGN);
    (void)append(world, &undone_click, DECIDE_OWN_NOTHING);
    decide_rollback(world->decide);
    assert_int_equal(decide_count(world->decide), 1);

    assert_true(append(world, &click, DECIDE_OWN_NOTHING));
    assert_int_equal(click.dict[ENTRY_DICT_SOURCE], NEWSLETTER);
    assert_string_equal(click.text[ENTRY_TEXT_UTM_TERM], "shoes");
    assert_false(click.is_double_tap);
    decide_commit(world->decide);
    (void)send(world, &orphan, DECIDE_OWN_NOTHING);
    assert_true(orphan.is_orphan);
    assert_true(orphan.is_visit_start);
}

static void at_most_100000_pairs_are_held_the_last_touched_ones(void **state)
{
    struct world *world = *state;
    struct entry entry;

    for (int64_t visitor = 1; visitor <= DECIDE_PAIRS + 500; visitor++) {
        entry = event_at(ENTRY_VIEW, visitor, 0);
        (void)append(world, &entry, DECIDE_OWN_NOTHING);
        if (visitor % 64 == 0) {
            /* The first one comes back again and again, so it stays. */
            entry = event_at(ENTRY_VIEW, 1, 0);
            (void)append(world, &entry, DECIDE_OWN_NOTHING);
            decide_commit(world->decide);
        }
    }
    decide_commit(world->decide);
    assert_int_equal(decide_count(world->decide), DECIDE_PAIRS);
    entry = event_at(ENTRY_CLICK, 1, 1);
    (void)append(world, &entry, DECIDE_OWN_NOTHING);
    assert_false(entry.is_orphan);
    entry = event_at(ENTRY_CLICK, 2, 1);
    (void)append(world, &entry, DECIDE_OWN_NOTHING);
    assert_true(entry.is_orphan);
    decide_rollback(world->decide);
    assert_int_equal(decide_count(world->decide), DECIDE_PAIRS);
}

/* One who came once, and another who comes again and again. */
static void coming_back_takes_no_more_memory(void **state)
{
    struct world *world = *state;
    size_t before = 0;
    struct entry entry = event_at(ENTRY_VIEW, 1, 0);

    (void)send(world, &entry, DECIDE_OWN_NOTHING);
    for (int i = 0; i < 50000; i++) {
        entry = event_at(i % 3 == 0 ? ENTRY_CLICK : ENTRY_VIEW, 2, i);
        entry.text[ENTRY_TEXT_REFERRER] = i % 2 == 0 ? "t.co/a" : "t.co/bb";
        (void)send(world, &entry, DECIDE_OWN_REFERRER);
        before = i == 1000 ? heap_bytes() : before;
    }
    assert_true(heap_bytes() <= before + 1024);
    assert_int_equal(decide_count(world->decide), 2);
}

/* What is at most 100,000 times there: no more than 256 bytes each. */
static void a_pair_takes_little_memory(void **state)
{
    struct world *world = *state;
    size_t before = heap_bytes();

    for (int64_t visitor = 1; visitor <= 20000; visitor++) {
        struct entry view = event_at(ENTRY_VIEW, visitor, 0);
        struct entry click = event_at(ENTRY_CLICK, visitor, 1);

        view.text[ENTRY_TEXT_REFERRER] = "l.instagram.com/";
        (void)append(world, &view, DECIDE_OWN_REFERRER);
        (void)send(world, &click, DECIDE_OWN_NOTHING);
    }
    assert_true((heap_bytes() - before) / 20000 < 256);
}

#define REPLAY_EVENTS 4000
#define REPLAY_VISITORS 25

static uint64_t dice_state;

static int64_t dice(int64_t sides)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) +
                 UINT64_C(1442695040888963407);
    return (int64_t)(dice_state >> 33) % sides;
}

/* An event as clients send them; some late where is_late_taken. */
static struct entry
random_event(int64_t now_ms, bool is_late_taken, enum decide_own *own_out)
{
    static const char *const referrers[] = {NULL, "t.co/a", "news.example/7"};
    struct entry entry = event_at((enum entry_type)dice(ENTRY_TYPE_COUNT),
                                  1 + dice(REPLAY_VISITORS), now_ms);

    entry.ts_at_ms -= is_late_taken && dice(5) == 0 ? dice(LB_MS_PER_HOUR) : 0;
    entry.traffic = dice(10) == 0 ? ENTRY_BOT : ENTRY_HUMAN;
    entry.dict[ENTRY_DICT_LINK] = 1 + dice(4);
    *own_out = (enum decide_own)dice(3);
    if (*own_out != DECIDE_OWN_NOTHING) {
        entry.dict[ENTRY_DICT_SOURCE] = 1 + dice(5);
        entry.text[ENTRY_TEXT_REFERRER] = referrers[1 + dice(2)];
    }
    if (*own_out == DECIDE_OWN_CAMPAIGN) {
        entry.dict[ENTRY_DICT_UTM_CAMPAIGN] = 30 + dice(3);
        entry.text[ENTRY_TEXT_REFERRER] = referrers[dice(3)];
    }
    return entry;
}

static bool is_same_text(const char *a, const char *b)
{
    return (a == NULL && b == NULL) ||
           (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_same_decision(const struct entry *a, const struct entry *b)
{
    return a->is_orphan == b->is_orphan &&
           a->is_double_tap == b->is_double_tap &&
           a->is_visit_start == b->is_visit_start &&
           memcmp(a->dict, b->dict, sizeof(a->dict)) == 0 &&
           is_same_text(a->text[ENTRY_TEXT_REFERRER],
                        b->text[ENTRY_TEXT_REFERRER]);
}

/* Texts of an entry outlive decide's memory. */
static void pin_texts(struct entry *entry)
{
    static const char *const known[] = {"t.co/a", "news.example/7"};

    for (size_t i = 0; i < 2; i++) {
        if (is_same_text(entry->text[ENTRY_TEXT_REFERRER], known[i])) {
            entry->text[ENTRY_TEXT_REFERRER] = known[i];
        }
    }
}

/* Restarts before event number `from`: reads the last half hour of the log and
 * decides the next ones anew. */
static size_t replay(const struct entry *log,
                     const struct entry *sent,
                     const enum decide_own *owns,
                     size_t from,
                     size_t upto)
{
    struct world world = {decide_new(TAP_MS), 0};
    size_t faults = 0;

    assert_non_null(world.decide);
    for (size_t i = 0; i < from; i++) {
        if (log[i].received_at_ms >=
            log[from].received_at_ms - DECIDE_WINDOW_MS) {
            assert_int_equal(decide_remember(world.decide, &log[i]), LB_OK);
        }
        world.seq = log[i].seq;
    }
    decide_commit(world.decide);
    for (size_t i = from; i < upto; i++) {
        struct entry again = sent[i];

        (void)append(&world, &again, owns[i]);
        pin_texts(&again);
        decide_commit(world.decide);
        if (!is_same_decision(&again, &log[i])) {
            print_error("restart before %zu: event %zu is decided otherwise\n",
                        from, i);
            faults++;
            break;
        }
    }
    decide_free(world.decide);
    return faults;
}

static void a_restart_at_any_place_decides_the_same(void **state)
{
    static struct entry sent[REPLAY_EVENTS];
    static struct entry log[REPLAY_EVENTS];
    static enum decide_own owns[REPLAY_EVENTS];
    struct world *world = *state;
    int64_t now_ms = 0;
    size_t faults = 0;

    dice_state = 42;
    for (size_t i = 0; i < REPLAY_EVENTS; i++) {
        now_ms += dice(LB_MS_PER_MIN);
        sent[i] = random_event(now_ms, false, &owns[i]);
        log[i] = sent[i];
        (void)append(world, &log[i], owns[i]);
        pin_texts(&log[i]);
        decide_commit(world->decide);
    }
    for (size_t from = 100; from + 300 < REPLAY_EVENTS; from += 97) {
        faults += replay(log, sent, owns, from, from + 300);
    }
    assert_int_equal(faults, 0);
}

/* The group that holds an event makes no difference to its decision. */
static void a_transaction_undone_and_repeated_decides_the_same(void **state)
{
    struct world *world = *state;
    struct world plain = {decide_new(TAP_MS), 0};
    int64_t now_ms = 0;

    dice_state = 43;
    for (int group = 0; group < 300; group++) {
        struct entry sent[8];
        enum decide_own owns[8];

        for (int i = 0; i < 8; i++) {
            now_ms += dice(20000);
            sent[i] = random_event(now_ms, true, &owns[i]);
        }
        for (int pass = 0; pass < 2; pass++) {
            for (int i = 0; i < 8; i++) {
                struct entry entry = sent[i];
                struct entry other = sent[i];

                (void)append(world, &entry, owns[i]);
                if (pass == 1) {
                    (void)append(&plain, &other, owns[i]);
                    assert_true(is_same_decision(&entry, &other));
                    decide_commit(plain.decide);
                }
            }
            if (pass == 0) {
                decide_rollback(world->decide);
            }
        }
        decide_commit(world->decide);
        assert_int_equal(decide_count(world->decide),
                         decide_count(plain.decide));
    }
    decide_free(plain.decide);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_without_anything_of_its_own_inherits),
        TEST(inheritance_ends_after_30_minutes_by_ts),
        TEST(each_inherited_event_extends_the_window),
        TEST(what_was_received_more_than_30_minutes_ago_is_forgotten),
        TEST(the_latest_event_by_ts_gives_and_a_tie_goes_to_the_later_arrival),
        TEST(a_referrer_that_repeats_is_nothing_new),
        TEST(a_campaign_of_its_own_is_never_replaced),
        TEST(other_sites_visitors_and_periods_give_nothing),
        TEST(only_human_events_give_and_take),
        TEST(a_double_tap_is_measured_from_the_last_counted_click),
        TEST(a_tap_on_another_link_or_of_another_type_counts),
        TEST(taps_on_many_links_are_kept_apart),
        TEST(the_double_tap_window_is_a_setting),
        TEST(a_click_is_an_orphan_without_a_view_in_the_30_minutes_before),
        TEST(views_leads_and_conversions_are_no_orphans),
        TEST(a_visit_ends_with_another_source_or_campaign_of_its_own),
        TEST(a_rollback_takes_everything_back),
        TEST(at_most_100000_pairs_are_held_the_last_touched_ones),
        TEST(coming_back_takes_no_more_memory),
        TEST(a_pair_takes_little_memory),
        TEST(a_restart_at_any_place_decides_the_same),
        TEST(a_transaction_undone_and_repeated_decides_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
