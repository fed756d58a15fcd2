/* bench_agent.c - time of a look at a user agent: bench_agent FILE, one user
 * agent a line.  Prints nanoseconds a user agent, the best of five rounds, and
 * what the list of crawlers takes to make and to keep. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/agent_cache.h"

#define ROUNDS 5
#define PASSES 100
#define LINES 4096

static char *lines[LINES];
static size_t lengths[LINES];
static size_t line_count;

static void read_lines(FILE *file)
{
    char line[BOT_AGENT_BYTES + 2];

    while (line_count < LINES && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        lines[line_count] = strdup(line);
        if (lines[line_count] != NULL) {
            lengths[line_count++] = strlen(line);
        }
    }
}

typedef uint32_t (*look_fn)(void *ctx, const char *text, size_t len);

static uint32_t look_bot(void *ctx, const char *text, size_t len)
{
    return bot_judge(ctx, text, len).entry;
}

static uint32_t look_agent(void *ctx, const char *text, size_t len)
{
    return (uint32_t)agent_read(ctx, text, len).browser_version;
}

static uint32_t look_cache(void *ctx, const char *text, size_t len)
{
    return agent_cache_find(ctx, text, len).verdict.entry;
}

static void measure(const char *name, look_fn look, void *ctx)
{
    int64_t best_ns = INT64_MAX;
    uint32_t sum = 0; /* so that nothing is optimised away */

    for (int round = 0; round < ROUNDS; round++) {
        int64_t begin_ns = lb_clock_mono_ns();

        for (int pass = 0; pass < PASSES; pass++) {
            for (size_t i = 0; i < line_count; i++) {
                sum += look(ctx, lines[i], lengths[i]);
            }
        }
        begin_ns = lb_clock_mono_ns() - begin_ns;
        best_ns = begin_ns < best_ns ? begin_ns : best_ns;
    }
    (void)printf("%-28s %" PRId64 " ns (%08" PRIx32 ")\n", name,
                 best_ns / PASSES / (int64_t)line_count, sum);
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    struct agent_cache *cache = NULL;
    struct agent_table *table;
    struct bot_list *list;
    struct lb_error err;
    int64_t begin_ns = lb_clock_mono_ns();

    list = bot_list_new();
    begin_ns = lb_clock_mono_ns() - begin_ns;
    table = agent_table_new();
    if (file == NULL || list == NULL || table == NULL ||
        agent_cache_new(&cache, &err) != LB_OK) {
        (void)fprintf(stderr, "bench_agent FILE: one user agent a line\n");
        return 1;
    }
    read_lines(file);
    (void)fclose(file);
    if (line_count == 0) {
        return 1;
    }
    (void)printf("list of %zu rows made in %" PRId64 " us; %zu lines\n",
                 bot_row_count(), begin_ns / 1000, line_count);
    measure("matching the list", look_bot, list);
    measure("device, browser, system", look_agent, table);
    measure("all, from the cache", look_cache, cache);
    agent_cache_free(cache);
    agent_table_free(table);
    bot_list_free(list);
    for (size_t i = 0; i < line_count; i++) {
        free(lines[i]);
    }
    return 0;
}
