/* agent.c - the rows of three tables, all searched in one pass. */
#include "ingest/agent.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/literals.h"

#define ROW_TEXTS 3
#define ROW_VERSIONS 4
#define VERSION_DIGITS 5 /* longer numbers are dates and build numbers */
#define VERSION_BYTES 8
#define TEXTS_MAX 512

struct row {
    const char *name;
    const char *has[ROW_TEXTS];        /* in this order; NULL from some on */
    const char *without;               /* NULL: nothing */
    bool is_before_capital;            /* has[0] is followed by A-Z */
    bool is_unversioned;               /* what follows is no version */
    const char *version[ROW_VERSIONS]; /* texts that one follows */
};

/* The tables, one after the other. */
static const struct row rows[] = {
#include "ingest/tables/devices.inc"
    {.name = NULL}, /* the end of a table */
#include "ingest/tables/browsers.inc"
    {.name = NULL},
#include "ingest/tables/systems.inc"
    {.name = NULL},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* What a text of the automaton is. */
struct role {
    uint16_t row;
    uint8_t step; /* index in has; ROW_TEXTS: it is .without */
};

struct agent_table {
    struct literals *literals; /* owned */
    struct role roles[TEXTS_MAX];
};

static bool add_text(const char **texts,
                     struct agent_table *table,
                     size_t *count,
                     const char *text,
                     struct role role)
{
    if (text == NULL) {
        return true;
    }
    if (*count == TEXTS_MAX) {
        return false;
    }
    table->roles[*count] = role;
    texts[(*count)++] = text;
    return true;
}

struct agent_table *agent_table_new(void)
{
    struct agent_table *table = calloc(1, sizeof(*table));
    const char *texts[TEXTS_MAX];
    size_t count = 0;
    bool has_room = table != NULL;

    for (size_t i = 0; i < ROW_COUNT && has_room; i++) {
        for (uint8_t step = 0; step < ROW_TEXTS && has_room; step++) {
            has_room = add_text(texts, table, &count, rows[i].has[step],
                                (struct role){(uint16_t)i, step});
        }
        has_room = has_room && add_text(texts, table, &count, rows[i].without,
                                        (struct role){(uint16_t)i, ROW_TEXTS});
    }
    if (has_room) {
        table->literals = literals_new(texts, count);
    }
    if (table != NULL && table->literals == NULL) {
        free(table);
        table = NULL;
    }
    return table;
}

void agent_table_free(struct agent_table *table)
{
    if (table != NULL) {
        literals_free(table->literals);
        free(table);
    }
}

/* How far each row is. */
struct search {
    const struct agent_table *table;
    const char *text;
    size_t len;
    uint16_t end[ROW_COUNT]; /* of the row's text found last */
    uint8_t step[ROW_COUNT]; /* texts found, in their order */
    bool is_out[ROW_COUNT];  /* .without was found */
};

static bool is_capital(const struct search *search, size_t at)
{
    return at < search->len && search->text[at] >= 'A' &&
           search->text[at] <= 'Z';
}

/* Places come in the order of their ends, so the first that fits is the best
 * one for what must follow. */
static void found(void *ctx, size_t index, size_t end)
{
    struct search *search = ctx;
    const struct role *role = &search->table->roles[index];
    const struct row *row = &rows[role->row];

    if (role->step == ROW_TEXTS) {
        search->is_out[role->row] = true;
    } else if (role->step == search->step[role->row] &&
               end - strlen(row->has[role->step]) >= search->end[role->row] &&
               (!row->is_before_capital || is_capital(search, end))) {
        search->step[role->row]++;
        search->end[role->row] = (uint16_t)end;
    }
}

static bool holds(const struct search *search, size_t row)
{
    size_t step = search->step[row];

    return !search->is_out[row] && step > 0 &&
           (step == ROW_TEXTS || rows[row].has[step] == NULL);
}

/* The first row from *at on that holds, NULL for none; *at moves behind the
 * table's end. */
static const struct row *take(const struct search *search, size_t *at)
{
    const struct row *taken = NULL;

    for (; rows[*at].name != NULL; (*at)++) {
        if (taken == NULL && holds(search, *at)) {
            taken = &rows[*at];
        }
    }
    (*at)++;
    return taken;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number at the begin of text, after one space, slash or underscore at
 * most. */
static int32_t read_number(const char *text, size_t len)
{
    int32_t number = 0;
    size_t digits = 0;

    if (len > 0 && strchr(" /_", text[0]) != NULL && text[0] != '\0') {
        text++;
        len--;
    }
    while (digits < len && digits <= VERSION_DIGITS && is_digit(text[digits])) {
        number = number * 10 + (text[digits++] - '0');
    }
    return digits == 0 || digits > VERSION_DIGITS ? AGENT_NO_VERSION : number;
}

/* The number behind the first place of mark that has one. */
static int32_t
read_behind(const struct search *search, const char *mark, size_t mark_len)
{
    const char *end = search->text + search->len;
    const char *at = search->text;
    int32_t number = AGENT_NO_VERSION;

    while (number == AGENT_NO_VERSION &&
           (at = memmem(at, (size_t)(end - at), mark, mark_len)) != NULL) {
        at += mark_len;
        number = read_number(at, (size_t)(end - at));
    }
    return number;
}

static int32_t read_version(const struct search *search, const struct row *row)
{
    int32_t number = AGENT_NO_VERSION;

    if (row == NULL || row->is_unversioned) {
        return AGENT_NO_VERSION;
    }
    if (row->version[0] == NULL) {
        return read_behind(search, row->has[0], strlen(row->has[0]));
    }
    for (size_t i = 0; i < ROW_VERSIONS && row->version[i] != NULL &&
                       number == AGENT_NO_VERSION;
         i++) {
        number = read_behind(search, row->version[i], strlen(row->version[i]));
    }
    return number;
}

struct agent
agent_read(const struct agent_table *table, const char *text, size_t len)
{
    struct search search = {
        .table = table,
        .text = text,
        .len = len < AGENT_BYTES ? len : AGENT_BYTES,
    };
    const struct row *device;
    const struct row *browser;
    const struct row *os;
    size_t at = 0;

    literals_scan(table->literals, search.text, search.len, found, &search);
    device = take(&search, &at);
    browser = take(&search, &at);
    os = take(&search, &at);
    return (struct agent){
        .device = device == NULL ? "" : device->name,
        .browser = browser == NULL ? "" : browser->name,
        .os = os == NULL ? "" : os->name,
        .browser_version = read_version(&search, browser),
        .os_version = read_version(&search, os),
    };
}

static enum lb_err
fill_number(int32_t number, const char **text, struct lb_arena *arena)
{
    char digits[VERSION_BYTES];
    size_t at = sizeof(digits);

    if (number < 0) {
        return LB_OK;
    }
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 && at > 0);
    *text = lb_arena_text(arena, digits + at, sizeof(digits) - at);
    return *text == NULL ? LB_ENOMEM : LB_OK;
}

static const char *known(const char *name)
{
    return name[0] == '\0' ? NULL : name;
}

enum lb_err agent_fill(const struct agent *agent,
                       struct entry *entry,
                       struct lb_arena *arena)
{
    enum lb_err rc;

    entry->text[ENTRY_TEXT_DEVICE] = known(agent->device);
    entry->text[ENTRY_TEXT_BROWSER] = known(agent->browser);
    entry->text[ENTRY_TEXT_OS] = known(agent->os);
    rc = fill_number(agent->browser_version,
                     &entry->text[ENTRY_TEXT_BROWSER_VERSION], arena);
    return rc == LB_OK ? fill_number(agent->os_version,
                                     &entry->text[ENTRY_TEXT_OS_VERSION], arena)
                       : rc;
}
