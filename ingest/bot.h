/* bot.h - whether a user agent is a person's: a list of crawlers and link
 * previews (tables/crawlers.inc, from npm's crawler-user-agents), what of it
 * does not count (crawler_overrides.inc), and how a browser's user agent looks
 * (browser_beginnings.inc).  Pure. */
#ifndef LINKBELL_INGEST_BOT_H
#define LINKBELL_INGEST_BOT_H

#include <stddef.h>
#include <stdint.h>

#include "sql/entry.h"

#define BOT_AGENT_BYTES 1024 /* of a user agent that are looked at */

/* Entries of the rules that are no row of the list. */
#define BOT_ENTRY_EMPTY "(empty)"
#define BOT_ENTRY_NO_BROWSER "(no browser)"

struct bot_list; /* the tables, ready to be searched; immutable */

struct bot_verdict {
    enum entry_traffic traffic; /* human, preview or bot */
    /* bot_entry_hash() of the entry that matched, or, of a human, of one whose
     * text is there and was kept from matching by its place or an override;
     * 0: none. */
    uint32_t entry;
};

struct bot_list *bot_list_new(void); /* NULL: out of memory, or too many rows */
void bot_list_free(struct bot_list *list);

/* The verdict on the first BOT_AGENT_BYTES of a user agent of len bytes. */
struct bot_verdict
bot_judge(const struct bot_list *list, const char *text, size_t len);

/* What the log keeps of an entry, never 0: FNV-1a, 32 bits (Fowler, Noll and
 * Vo).  It stays what it is: relabelling compares with it. */
uint32_t bot_entry_hash(const char *entry);

/* Rows of the list; for those who measure and compare. */
enum bot_place {
    BOT_ANYWHERE,
    BOT_BEGIN,
    BOT_END,
    BOT_WORD,        /* at the begin or behind a space */
    BOT_NO_HYPHEN,   /* not before a '-' */
    BOT_THEN,        /* .second stands somewhere behind .text */
    BOT_VERSION_THEN /* a digit, '.', digits and .second follow .text */
};
enum bot_override { BOT_COUNTS, BOT_DROP, BOT_BARE };
struct bot_row {
    const char *text;
    const char *second;
    const char *entry; /* the list's word for it; NULL: text */
    enum bot_place where;
    bool is_preview;
};
size_t bot_row_count(void);
const struct bot_row *bot_row_at(size_t index);
const char *bot_row_entry(const struct bot_row *row);
enum bot_override bot_row_override(const struct bot_row *row);

#endif
