/* traffic.c - the order of the rules. */
#include "ingest/traffic.h"

#include <stddef.h>
#include <string.h>

#define OPT_OUT "lb_own"

/* Whether a Cookie field (RFC 6265, 4.2.1) holds lb_own=1. */
static bool has_opted_out(const char *cookie)
{
    while (cookie != NULL && *cookie != '\0') {
        size_t len;

        cookie += strspn(cookie, "; \t,");
        len = strcspn(cookie, "; \t,");
        if (len == strlen(OPT_OUT "=1") &&
            memcmp(cookie, OPT_OUT "=1", len) == 0) {
            return true;
        }
        cookie += len;
    }
    return false;
}

static bool has_word(const char *field, const char *word)
{
    return field != NULL && strcasestr(field, word) != NULL;
}

struct traffic_signs traffic_read_signs(const struct traffic_fields *fields,
                                        bool is_head)
{
    const char *const purposes[] = {fields->sec_purpose, fields->purpose,
                                    fields->x_purpose, fields->x_moz};
    struct traffic_signs signs = {.is_own = has_opted_out(fields->cookie),
                                  .is_head = is_head};

    for (size_t i = 0; i < sizeof(purposes) / sizeof(purposes[0]); i++) {
        signs.is_prefetch = signs.is_prefetch ||
                            has_word(purposes[i], "prefetch") ||
                            has_word(purposes[i], "prerender");
    }
    signs.is_prefetch = signs.is_prefetch ||
                        has_word(fields->purpose, "preview") ||
                        has_word(fields->x_purpose, "preview");
    return signs;
}

void traffic_decide(const struct traffic_facts *facts, struct entry *entry)
{
    enum entry_traffic judged =
        facts->verdict == NULL ? ENTRY_HUMAN : facts->verdict->traffic;
    const struct {
        bool holds;
        enum entry_traffic traffic;
        const char *reason;
    } rules[] = {
        {facts->signs.is_own || facts->is_ignored, ENTRY_BOT, "own"},
        {facts->signs.is_head, ENTRY_BOT, "head"},
        {facts->signs.is_prefetch, ENTRY_PREFETCH, "prefetch"},
        {judged == ENTRY_PREVIEW, ENTRY_PREVIEW, "preview"},
        {judged == ENTRY_BOT, ENTRY_BOT, "ua"},
        {facts->is_datacentre, ENTRY_BOT, "datacentre"},
        {true, ENTRY_HUMAN, NULL},
    };
    size_t rule = 0;

    while (!rules[rule].holds) {
        rule++;
    }
    entry->traffic = rules[rule].traffic;
    entry->text[ENTRY_TEXT_REASON] = rules[rule].reason;
    entry->bot_entry = facts->verdict == NULL ? 0 : facts->verdict->entry;
}
