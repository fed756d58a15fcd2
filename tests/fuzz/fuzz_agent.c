/* fuzz_agent.c - user agents: the one pass over the list finds what a search
 * for each row finds, and what comes out is made of the tables' words.
 * Input: the user agent. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ingest/agent_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_right)
{
    if (!is_right) {
        abort();
    }
}

static bool is_digit(const char *text, size_t len, size_t at)
{
    return at < len && text[at] >= '0' && text[at] <= '9';
}

/* Whether .second follows ".text" with "1.23" between them. */
static bool is_version_then(const char *rest, size_t len, const char *second)
{
    size_t at = 2;

    if (!is_digit(rest, len, 0) || len < 2 || rest[1] != '.' ||
        !is_digit(rest, len, 2)) {
        return false;
    }
    while (is_digit(rest, len, at)) {
        at++;
    }
    return len - at >= strlen(second) &&
           memcmp(rest + at, second, strlen(second)) == 0;
}

static bool is_here(const struct bot_row *row,
                    const char *text,
                    size_t len,
                    const char *place)
{
    const char *rest = place + strlen(row->text);
    size_t rest_len = len - (size_t)(rest - text);

    switch (row->where) {
    case BOT_ANYWHERE:
        break;
    case BOT_BEGIN:
        return place == text;
    case BOT_END:
        return rest_len == 0;
    case BOT_WORD:
        return place == text || place[-1] == ' ';
    case BOT_NO_HYPHEN:
        return rest_len == 0 || rest[0] != '-';
    case BOT_THEN:
        return memmem(rest, rest_len, row->second, strlen(row->second)) != NULL;
    case BOT_VERSION_THEN:
        return is_version_then(rest, rest_len, row->second);
    }
    return true;
}

static bool matches(const struct bot_row *row, const char *text, size_t len)
{
    bool is_browser = len >= 8 && memcmp(text, "Mozilla/", 8) == 0;
    enum bot_override override = bot_row_override(row);
    const char *place = text;

    if (override == BOT_DROP || (override == BOT_BARE && is_browser)) {
        return false;
    }
    while ((place = memmem(place, len - (size_t)(place - text), row->text,
                           strlen(row->text))) != NULL) {
        if (is_here(row, text, len, place)) {
            return true;
        }
        place++;
    }
    return false;
}

/* What the rows alone say. */
static enum entry_traffic search(const char *text, size_t len)
{
    enum entry_traffic found = ENTRY_HUMAN;

    for (size_t i = 0; i < bot_row_count(); i++) {
        const struct bot_row *row = bot_row_at(i);

        if ((found == ENTRY_HUMAN || row->is_preview) &&
            matches(row, text, len)) {
            found = row->is_preview ? ENTRY_PREVIEW : ENTRY_BOT;
        }
    }
    return found;
}

static void check_agent(const struct agent *agent)
{
    must(strlen(agent->device) <= 7 && strlen(agent->os) <= 13);
    must(strlen(agent->browser) <= 17);
    must(agent->browser_version >= AGENT_NO_VERSION &&
         agent->browser_version <= 99999);
    must(agent->os_version >= AGENT_NO_VERSION && agent->os_version <= 99999);
    must(agent->browser[0] != '\0' ||
         agent->browser_version == AGENT_NO_VERSION);
    must(agent->os[0] != '\0' || agent->os_version == AGENT_NO_VERSION);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct agent_cache *cache;
    const char *text = (const char *)data;
    size_t len = size < BOT_AGENT_BYTES ? size : BOT_AGENT_BYTES;
    struct agent_answer first;
    struct agent_answer again;
    enum entry_traffic want;
    struct lb_error err;

    if (cache == NULL) {
        must(agent_cache_new(&cache, &err) == LB_OK);
    }
    text = data == NULL ? "" : text;
    first = agent_cache_find(cache, text, size);
    again = agent_cache_find(cache, text, size);
    check_agent(&first.agent);
    must(first.agent.browser == again.agent.browser &&
         first.agent.os_version == again.agent.os_version &&
         first.verdict.entry == again.verdict.entry &&
         first.verdict.traffic == again.verdict.traffic);
    want = search(text, len);
    if (want != ENTRY_HUMAN) {
        must(first.verdict.traffic == want && first.verdict.entry != 0);
    } else if (first.verdict.traffic == ENTRY_BOT) {
        must(memmem(text, len, "Mozilla/", 8) == NULL);
    } else {
        must(first.verdict.traffic == ENTRY_HUMAN);
    }
    return 0;
}
