/* relabel.c - what the list says now of an event judged before. */
#include "ingest/relabel.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/bot.h"

struct known {
    uint32_t hash;
    const struct bot_row *row;
};

struct relabel {
    size_t count;
    struct known known[]; /* by hash */
};

static int compare(const void *left, const void *right)
{
    const struct known *a = left;
    const struct known *b = right;

    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

struct relabel *relabel_new(void)
{
    size_t count = bot_row_count();
    struct relabel *relabel =
        calloc(1, sizeof(*relabel) + count * sizeof(struct known));

    if (relabel == NULL) {
        return NULL;
    }
    relabel->count = count;
    for (size_t i = 0; i < count; i++) {
        const struct bot_row *row = bot_row_at(i);

        relabel->known[i] =
            (struct known){bot_entry_hash(bot_row_entry(row)), row};
    }
    qsort(relabel->known, count, sizeof(relabel->known[0]), compare);
    return relabel;
}

void relabel_free(struct relabel *relabel)
{
    free(relabel);
}

static const struct bot_row *find(const struct relabel *relabel, uint32_t hash)
{
    const struct known key = {hash, NULL};
    const struct known *found = bsearch(&key, relabel->known, relabel->count,
                                        sizeof(relabel->known[0]), compare);

    return found == NULL ? NULL : found->row;
}

static bool is_reason(const struct entry *entry, const char *reason)
{
    const char *own = entry->text[ENTRY_TEXT_REASON];

    return own != NULL && strcmp(own, reason) == 0;
}

/* Whether the user agent told a browser: its text then began as browsers do. */
static bool is_browser(const struct entry *entry)
{
    return entry->text[ENTRY_TEXT_BROWSER] != NULL;
}

static enum relabel_verdict set(const struct entry *entry,
                                const struct bot_row *row,
                                enum entry_traffic *traffic_out,
                                const char **reason_out)
{
    enum entry_traffic traffic = row == NULL       ? ENTRY_HUMAN
                                 : row->is_preview ? ENTRY_PREVIEW
                                                   : ENTRY_BOT;

    *traffic_out = traffic;
    *reason_out = row == NULL ? NULL : row->is_preview ? "preview" : "ua";
    return entry->traffic == traffic &&
                   (*reason_out == NULL ? entry->text[ENTRY_TEXT_REASON] == NULL
                                        : is_reason(entry, *reason_out))
               ? RELABEL_SAME
               : RELABEL_CHANGED;
}

/* An entry of the list made it a crawler or a preview. */
static enum relabel_verdict judge_listed(const struct relabel *relabel,
                                         const struct entry *entry,
                                         enum entry_traffic *traffic_out,
                                         const char **reason_out)
{
    const struct bot_row *row = find(relabel, entry->bot_entry);
    enum bot_override override = row == NULL ? BOT_DROP : bot_row_override(row);

    if (entry->bot_entry == 0 ||
        entry->bot_entry == bot_entry_hash(BOT_ENTRY_EMPTY) ||
        entry->bot_entry == bot_entry_hash(BOT_ENTRY_NO_BROWSER)) {
        return RELABEL_SAME; /* no entry of the list: a rule that stays */
    }
    if (override == BOT_COUNTS ||
        (override == BOT_BARE && !is_browser(entry))) {
        return set(entry, row, traffic_out, reason_out);
    }
    /* Its entry counts no more; without a browser's beginning it would be no
     * person's all the same, and that is not stored. */
    return is_browser(entry) ? set(entry, NULL, traffic_out, reason_out)
                             : RELABEL_UNKNOWN;
}

/* A person, a burst or a machine of a datacentre: no entry counted. */
static enum relabel_verdict judge_unlisted(const struct relabel *relabel,
                                           const struct entry *entry,
                                           enum entry_traffic *traffic_out,
                                           const char **reason_out)
{
    const struct bot_row *row =
        entry->bot_entry == 0 ? NULL : find(relabel, entry->bot_entry);
    bool had_agent = is_browser(entry) ||
                     entry->text[ENTRY_TEXT_DEVICE] != NULL ||
                     entry->text[ENTRY_TEXT_OS] != NULL;

    if (row != NULL && row->where == BOT_ANYWHERE &&
        bot_row_override(row) == BOT_COUNTS) {
        return set(entry, row, traffic_out, reason_out);
    }
    if (row != NULL && bot_row_override(row) != BOT_COUNTS) {
        return RELABEL_SAME; /* kept out by an override then and now */
    }
    /* An entry added since might match a user agent that is gone. */
    return had_agent ? RELABEL_UNKNOWN : RELABEL_SAME;
}

enum relabel_verdict relabel_judge(const struct relabel *relabel,
                                   const struct entry *entry,
                                   enum entry_traffic *traffic_out,
                                   const char **reason_out)
{
    if (is_reason(entry, "own") || is_reason(entry, "head") ||
        is_reason(entry, "prefetch")) {
        return RELABEL_SAME; /* these come before the list */
    }
    return is_reason(entry, "ua") || is_reason(entry, "preview")
               ? judge_listed(relabel, entry, traffic_out, reason_out)
               : judge_unlisted(relabel, entry, traffic_out, reason_out);
}
