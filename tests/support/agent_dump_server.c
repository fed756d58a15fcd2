/* agent_dump_server.c - what linkbell makes of user agents, one a line on
 * standard input: class, device, browser, its version, system, its version,
 * joined by tabs.  For comparisons with other people's data. */
#include <stdio.h>
#include <string.h>

#include "ingest/agent_cache.h"

static void print_version(int32_t version)
{
    if (version >= 0) {
        (void)printf("%d", (int)version);
    }
}

int main(void)
{
    struct agent_cache *cache = NULL;
    struct lb_error err;
    char line[65536];

    if (agent_cache_new(&cache, &err) != LB_OK) {
        (void)fprintf(stderr, "agent_dump_server: %s\n", err.text);
        return 1;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        size_t len = strcspn(line, "\n");
        struct agent_answer answer = agent_cache_find(cache, line, len);

        (void)printf("%s\t%s\t%s\t", entry_traffic_name(answer.verdict.traffic),
                     answer.agent.device, answer.agent.browser);
        print_version(answer.agent.browser_version);
        (void)printf("\t%s\t", answer.agent.os);
        print_version(answer.agent.os_version);
        (void)printf("\n");
    }
    agent_cache_free(cache);
    return 0;
}
