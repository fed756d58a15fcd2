/* test_agent_cache.c - answers from memory are the answers of the tables. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/agent_cache.h"

#define AGENTS (2 * AGENT_CACHE_ANSWERS) /* more than are kept */

static int set_up(void **state)
{
    struct agent_cache *cache = NULL;
    struct lb_error err;

    assert_int_equal(agent_cache_new(&cache, &err), LB_OK);
    *state = cache;
    return 0;
}

static int tear_down(void **state)
{
    agent_cache_free(*state);
    return 0;
}

/* True when the answer for number i is what it must be. */
static bool is_right(struct agent_cache *cache, int i)
{
    struct agent_answer answer;
    char text[128];
    int len =
        snprintf(text, sizeof(text), "%sAndroid %d) Firefox/%d x%d",
                 i % 3 == 0 ? "bingbot " : "Mozilla/5.0 (", i % 50, i % 200, i);

    answer = agent_cache_find(cache, text, (size_t)len);
    return answer.agent.os_version == i % 50 &&
           answer.agent.browser_version == i % 200 &&
           strcmp(answer.agent.browser, "Firefox") == 0 &&
           answer.verdict.traffic == (i % 3 == 0 ? ENTRY_BOT : ENTRY_HUMAN) &&
           answer.verdict.entry == (i % 3 == 0 ? bot_entry_hash("bingbot") : 0);
}

static void an_answer_is_the_same_however_often_it_is_asked_for(void **state)
{
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < AGENTS; i++) {
            assert_true(is_right(*state, i));
            assert_true(is_right(*state, i / 2));
        }
    }
}

static void only_the_first_kilobyte_is_looked_at(void **state)
{
    char text[AGENT_BYTES + 10];

    memset(text, 'x', sizeof(text));
    memcpy(text, "Mozilla/", 8);
    memcpy(text + AGENT_BYTES, "bingbot", 7);
    assert_int_equal(
        agent_cache_find(*state, text, sizeof(text)).verdict.traffic,
        ENTRY_HUMAN);
    assert_int_equal(agent_cache_find(*state, "", 0).verdict.traffic,
                     ENTRY_BOT);
}

struct asking {
    struct agent_cache *cache;
    bool is_right;
};

static void *ask(void *arg)
{
    struct asking *asking = arg;

    asking->is_right = true;
    for (int i = 0; i < AGENTS && asking->is_right; i++) {
        asking->is_right = is_right(asking->cache, i % 700);
    }
    return NULL;
}

static void threads_ask_at_the_same_time(void **state)
{
    struct asking asking[2] = {{*state, false}, {*state, false}};
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &asking[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(asking[i].is_right);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            an_answer_is_the_same_however_often_it_is_asked_for, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(only_the_first_kilobyte_is_looked_at,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_ask_at_the_same_time, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
