/* bot.c - one pass over a user agent for all rows of the list. */
#include "ingest/bot.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/literals.h"

#define THENS_MAX 64 /* rows of BOT_THEN */
#define NO_ROW UINT16_MAX
#define BROWSER "Mozilla/"

static const struct bot_row rows[] = {
#include "ingest/tables/crawlers.inc"
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct {
    const char *entry;
    enum bot_override override;
} overrides[] = {
#include "ingest/tables/crawler_overrides.inc"
};
#define OVERRIDE_COUNT (sizeof(overrides) / sizeof(overrides[0]))

static const char *const beginnings[] = {
#include "ingest/tables/browser_beginnings.inc"
};
#define BEGINNING_COUNT (sizeof(beginnings) / sizeof(beginnings[0]))

/* What a text of the automaton is. */
struct role {
    uint16_t row;
    uint8_t override; /* enum bot_override */
    uint8_t then;     /* BOT_THEN: the row's place among them */
    bool is_second;
};

struct bot_list {
    struct literals *literals; /* owned */
    struct role roles[ROW_COUNT + THENS_MAX];
};

size_t bot_row_count(void)
{
    return ROW_COUNT;
}

const struct bot_row *bot_row_at(size_t index)
{
    return &rows[index];
}

const char *bot_row_entry(const struct bot_row *row)
{
    return row->entry == NULL ? row->text : row->entry;
}

enum bot_override bot_row_override(const struct bot_row *row)
{
    for (size_t i = 0; i < OVERRIDE_COUNT; i++) {
        if (strcmp(overrides[i].entry, bot_row_entry(row)) == 0) {
            return overrides[i].override;
        }
    }
    return BOT_COUNTS;
}

uint32_t bot_entry_hash(const char *entry)
{
    uint32_t hash = UINT32_C(2166136261);

    for (; *entry != '\0'; entry++) {
        hash = (hash ^ (unsigned char)*entry) * UINT32_C(16777619);
    }
    return hash == 0 ? 1 : hash;
}

/* The texts of a row, with their roles, at the end of texts. */
static size_t add_row(struct bot_list *list,
                      const char **texts,
                      size_t count,
                      struct role role)
{
    list->roles[count] = role;
    texts[count++] = rows[role.row].text;
    if (rows[role.row].where == BOT_THEN) {
        role.is_second = true;
        list->roles[count] = role;
        texts[count++] = rows[role.row].second;
    }
    return count;
}

struct bot_list *bot_list_new(void)
{
    struct bot_list *list = calloc(1, sizeof(*list));
    const char *texts[ROW_COUNT + THENS_MAX];
    size_t count = 0;
    uint8_t thens = 0;

    for (uint16_t i = 0; i < ROW_COUNT && list != NULL && thens < THENS_MAX;
         i++) {
        struct role role = {.row = i,
                            .override = (uint8_t)bot_row_override(&rows[i]),
                            .then = thens};

        count = add_row(list, texts, count, role);
        thens = (uint8_t)(thens + (rows[i].where == BOT_THEN ? 1 : 0));
    }
    if (list != NULL && thens < THENS_MAX) {
        list->literals = literals_new(texts, count);
    }
    if (list != NULL && list->literals == NULL) {
        free(list);
        list = NULL;
    }
    return list;
}

void bot_list_free(struct bot_list *list)
{
    if (list != NULL) {
        literals_free(list->literals);
        free(list);
    }
}

/* Rows found, the first of the list by kind. */
struct search {
    const struct bot_list *list;
    const char *text;
    size_t len;
    bool is_browser; /* begins as browsers do */
    uint16_t preview;
    uint16_t crawler;
    uint16_t kept_out;
    uint16_t then_ends[THENS_MAX]; /* where .text ended first; 0: not found */
};

static void note(uint16_t *best, uint16_t row)
{
    *best = row < *best ? row : *best;
}

static size_t count_digits(const struct search *search, size_t at)
{
    size_t count = 0;

    while (at + count < search->len && search->text[at + count] >= '0' &&
           search->text[at + count] <= '9') {
        count++;
    }
    return count;
}

/* "1.23" and the second text at end. */
static bool
is_version_then(const struct search *search, size_t end, const char *second)
{
    size_t len = strlen(second);
    size_t digits;

    if (count_digits(search, end) != 1 || end + 1 >= search->len ||
        search->text[end + 1] != '.') {
        return false;
    }
    digits = count_digits(search, end + 2);
    return digits > 0 && end + 2 + digits + len <= search->len &&
           memcmp(search->text + end + 2 + digits, second, len) == 0;
}

static bool is_then(struct search *search,
                    const struct role *role,
                    size_t start,
                    size_t end)
{
    uint16_t *first_end = &search->then_ends[role->then];

    if (role->is_second) {
        return *first_end != 0 && *first_end <= start;
    }
    *first_end = *first_end == 0 ? (uint16_t)end : *first_end;
    return false;
}

static bool
is_in_place(struct search *search, const struct role *role, size_t end)
{
    const struct bot_row *row = &rows[role->row];
    size_t start = end - strlen(role->is_second ? row->second : row->text);

    switch (row->where) {
    case BOT_ANYWHERE:
        break;
    case BOT_BEGIN:
        return start == 0;
    case BOT_END:
        return end == search->len;
    case BOT_WORD:
        return start == 0 || search->text[start - 1] == ' ';
    case BOT_NO_HYPHEN:
        return end == search->len || search->text[end] != '-';
    case BOT_THEN:
        return is_then(search, role, start, end);
    case BOT_VERSION_THEN:
        return is_version_then(search, end, row->second);
    }
    return true;
}

static void found(void *ctx, size_t index, size_t end)
{
    struct search *search = ctx;
    const struct role *role = &search->list->roles[index];
    bool counts = is_in_place(search, role, end) &&
                  role->override != BOT_DROP &&
                  (role->override != BOT_BARE || !search->is_browser);

    if (!counts) {
        note(&search->kept_out, role->row);
    } else if (rows[role->row].is_preview) {
        note(&search->preview, role->row);
    } else {
        note(&search->crawler, role->row);
    }
}

static bool begins_with(const char *text, size_t len, const char *begin)
{
    size_t begin_len = strlen(begin);

    return len >= begin_len && memcmp(text, begin, begin_len) == 0;
}

static bool looks_like_browser(const char *text, size_t len)
{
    if (memmem(text, len, BROWSER, strlen(BROWSER)) != NULL) {
        return true;
    }
    for (size_t i = 0; i < BEGINNING_COUNT; i++) {
        if (begins_with(text, len, beginnings[i])) {
            return true;
        }
    }
    return false;
}

static uint32_t hash_of(uint16_t row)
{
    return row == NO_ROW ? 0 : bot_entry_hash(bot_row_entry(&rows[row]));
}

struct bot_verdict
bot_judge(const struct bot_list *list, const char *text, size_t len)
{
    struct search search = {.list = list,
                            .text = text,
                            .len =
                                len < BOT_AGENT_BYTES ? len : BOT_AGENT_BYTES,
                            .preview = NO_ROW,
                            .crawler = NO_ROW,
                            .kept_out = NO_ROW};

    search.is_browser = begins_with(text, search.len, BROWSER);
    literals_scan(list->literals, text, search.len, found, &search);
    if (search.preview != NO_ROW) {
        return (struct bot_verdict){ENTRY_PREVIEW, hash_of(search.preview)};
    }
    if (search.crawler != NO_ROW) {
        return (struct bot_verdict){ENTRY_BOT, hash_of(search.crawler)};
    }
    if (search.len == 0) {
        return (struct bot_verdict){ENTRY_BOT, bot_entry_hash(BOT_ENTRY_EMPTY)};
    }
    if (!looks_like_browser(text, search.len)) {
        return (struct bot_verdict){ENTRY_BOT,
                                    bot_entry_hash(BOT_ENTRY_NO_BROWSER)};
    }
    return (struct bot_verdict){ENTRY_HUMAN, hash_of(search.kept_out)};
}
