/* import_format.c - telling formats apart, and where their records end. */
#include "ingest/import_format.h"

#include <string.h>

#include "base/text.h"
#include "ingest/import_combined.h"

static const char *const names[] = {
    "auto", "ndjson", "csv", "combined", "bitly", "goatcounter", "plausible"};
#define FORMATS (sizeof(names) / sizeof(names[0]))

const char *import_format_name(enum import_format format)
{
    return names[format];
}

bool import_format_find(const char *name, enum import_format *format_out)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *format_out = (enum import_format)i;
            return true;
        }
    }
    return false;
}

/* A version and the name of the first column: 2Path. */
static bool is_goatcounter(const char *record)
{
    size_t digits = strspn(record, "0123456789");

    return digits > 0 && strncmp(record + digits, "Path,", 5) == 0;
}

static bool is_plausible(const char *record)
{
    return (strncmp(record, "date,", 5) == 0 ||
            strncmp(record, "\"date\",", 7) == 0) &&
           strstr(record, "visitors") != NULL;
}

enum import_format import_format_guess(const char *record)
{
    record += strncmp(record, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    record += strspn(record, " \t");
    if (record[0] == '{') {
        return strstr(record, "\"hh\"") != NULL ||
                       strstr(record, "\"_heartbeat_\"") != NULL
                   ? IMPORT_BITLY
                   : IMPORT_NDJSON;
    }
    if (import_combined_is_line(record, strlen(record))) {
        return IMPORT_COMBINED;
    }
    if (is_goatcounter(record)) {
        return IMPORT_GOATCOUNTER;
    }
    return is_plausible(record) ? IMPORT_PLAUSIBLE : IMPORT_CSV;
}

bool import_format_is_table(enum import_format format)
{
    return format == IMPORT_CSV || format == IMPORT_GOATCOUNTER ||
           format == IMPORT_PLAUSIBLE;
}

/* The first line end outside of quotes; NULL: none.  A doubled quote inside
 * a quoted cell ends and begins it again, which comes to the same. */
static const char *find_row_end(const char *text, size_t len)
{
    const char *end = text + len;
    bool is_quoted = false;

    for (const char *at = text; at < end; at++) {
        if (*at == '"') {
            is_quoted = !is_quoted;
        } else if (*at == '\n' && !is_quoted) {
            return at;
        }
    }
    return NULL;
}

bool import_format_record(enum import_format format,
                          const char *text,
                          size_t len,
                          size_t *used_out,
                          size_t *next_out)
{
    const char *end = len == 0 ? NULL
                      : import_format_is_table(format)
                          ? find_row_end(text, len)
                          : memchr(text, '\n', len);
    size_t used = end == NULL ? len : (size_t)(end - text);

    *next_out = end == NULL ? len : used + 1;
    while (used > 0 && text[used - 1] == '\r') {
        used--;
    }
    *used_out = used;
    return end != NULL;
}
