/* import_format.c - lines of foreign files as native events. */
#include "ingest/import_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "base/zone.h"
#include "ingest/agent.h"

#define COLUMNS_MAX 64
#define JSON_DEPTH 32
#define CELL_BYTES 8192
#define REFERRER_BYTES 2000

struct import_header {
    size_t count;
    char *names[COLUMNS_MAX]; /* owned */
};

bool import_format_find(const char *name, enum import_format *format_out)
{
    static const char *const names[] = {"auto", "ndjson", "csv", "bitly"};

    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *format_out = (enum import_format)i;
            return true;
        }
    }
    return false;
}

enum import_format import_format_guess(const char *line)
{
    line += strspn(line, " \t\xef\xbb\xbf");
    if (line[0] != '{') {
        return IMPORT_CSV;
    }
    return strstr(line, "\"hh\"") != NULL ||
                   strstr(line, "\"_heartbeat_\"") != NULL
               ? IMPORT_BITLY
               : IMPORT_NDJSON;
}

/* Takes one cell (RFC 4180) off *at, which is NULL after the last one. */
static void take_cell(const char **at, char *out, size_t out_bytes)
{
    const char *c = *at;
    size_t used = 0;
    bool is_quoted = *c == '"';

    c += is_quoted ? 1 : 0;
    while (*c != '\0' && (is_quoted || *c != ',')) {
        if (is_quoted && *c == '"') {
            if (c[1] != '"') {
                c++;
                break;
            }
            c++;
        }
        if (used + 1 < out_bytes) {
            out[used++] = *c;
        }
        c++;
    }
    out[used] = '\0';
    while (*c != '\0' && *c != ',') {
        c++;
    }
    *at = *c == ',' ? c + 1 : NULL;
}

static bool is_known_column(const char *name)
{
    static const char *const names[] = {
        "type", "site", "id", "name", "link", "url", "referrer", "ts", "ip",
        "user_agent", "visitor", "country", "region", "city", "utm_source",
        "utm_medium", "utm_campaign", "utm_term", "utm_content", "value_amount",
        "value_currency", "contact_email", "contact_name", "contact_message",
        "contact_phone", "contact.email", "contact.name", "contact.message",
        "contact.phone", "utm.source", "utm.medium", "utm.campaign", "utm.term",
        "utm.content", "value.amount", "value.currency", "props",
        /* of linkbell's own export, decided anew */
        "seq", "received", "host", "page", "source", "channel", "click_id",
        "device", "browser", "browser_version", "os", "os_version", "traffic",
        "reason", "qr", "double_tap"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "props.", 6) == 0 && name[6] != '\0';
}

struct import_header *
import_format_header(const char *line, char *reason, size_t reason_bytes)
{
    struct import_header *header = calloc(1, sizeof(*header));
    const char *at = strncmp(line, "\xef\xbb\xbf", 3) == 0 ? line + 3 : line;
    char cell[CELL_BYTES];

    while (header != NULL && at != NULL && header->count < COLUMNS_MAX) {
        take_cell(&at, cell, sizeof(cell));
        if (!is_known_column(cell)) {
            (void)snprintf(reason, reason_bytes,
                           "column \"%.60s\" is no field of an event", cell);
            import_format_header_free(header);
            return NULL;
        }
        header->names[header->count++] = strdup(cell);
    }
    return header;
}

void import_format_header_free(struct import_header *header)
{
    for (size_t i = 0; header != NULL && i < header->count; i++) {
        free(header->names[i]);
    }
    free(header);
}

static void add(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        lb_json_add_key(out, key);
        lb_json_add_string(out, text);
    }
}

/* The same of a text that may be longer than an event's field. */
static void
add_cut(struct lb_buf *out, const char *key, const char *text, size_t max_bytes)
{
    struct lb_buf cut;

    if (text == NULL) {
        return;
    }
    lb_buf_init(&cut, max_bytes + 1);
    lb_buf_add(&cut, text, lb_text_cut(text, strlen(text), max_bytes));
    add(out, key, lb_buf_text(&cut));
    lb_buf_deinit(&cut);
}

static void add_ts(struct lb_buf *out, int64_t ts_ms)
{
    lb_json_add_key(out, "ts");
    lb_buf_add_int(out, ts_ms);
}

/* --- bit.ly
 * ----------------------------------------------------------------------------
 */

static double number_of(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static enum import_verdict write_bitly(const cJSON *json,
                                       const struct import_line *line,
                                       struct lb_buf *out,
                                       int64_t *ts_out,
                                       char *reason,
                                       size_t reason_bytes)
{
    const char *slug = lb_json_text(json, "kw");
    const char *referrer = lb_json_text(json, "r");
    char url[300];

    if (cJSON_HasObjectItem(json, "_heartbeat_")) {
        return IMPORT_IGNORED;
    }
    slug = slug == NULL ? lb_json_text(json, "h") : slug;
    *ts_out = (int64_t)number_of(json, "t") * 1000;
    if (slug == NULL || *ts_out <= 0) {
        (void)snprintf(reason, reason_bytes,
                       "the line has no hash (h) or no time (t)");
        return IMPORT_BAD;
    }
    (void)snprintf(url, sizeof(url), "http://%.120s/%.120s",
                   lb_json_text(json, "hh") == NULL ? "bit.ly"
                                                    : lb_json_text(json, "hh"),
                   slug);
    lb_buf_add_text(out, "{\"type\":\"click\"");
    add(out, "site", line->site);
    add(out, "id", line->id);
    add_ts(out, *ts_out + line->shift_ms);
    add(out, "link", slug);
    add(out, "url", url);
    if (referrer != NULL && strcmp(referrer, "direct") != 0) {
        add_cut(out, "referrer", referrer, REFERRER_BYTES);
    }
    add_cut(out, "user_agent", lb_json_text(json, "a"), AGENT_BYTES);
    add(out, "country", lb_json_text(json, "c"));
    add(out, "region", lb_json_text(json, "gr"));
    add(out, "city", lb_json_text(json, "cy"));
    lb_buf_add_text(out, ",\"props\":{");
    add(out, "g", lb_json_text(json, "g"));
    add(out, "login", lb_json_text(json, "l"));
    lb_json_add_key(out, "known_visitor");
    lb_buf_add_text(out, number_of(json, "nk") == 1 ? "true}}" : "false}}");
    return IMPORT_EVENT;
}

/* --- native JSON
 * ------------------------------------------------------------------------- */

static enum import_verdict write_native(cJSON *json,
                                        const struct import_line *line,
                                        struct lb_buf *out,
                                        int64_t *ts_out,
                                        char *reason,
                                        size_t reason_bytes)
{
    const cJSON *ts = cJSON_GetObjectItemCaseSensitive(json, "ts");

    if (!cJSON_IsObject(json)) {
        (void)snprintf(reason, reason_bytes, "the line is no JSON object");
        return IMPORT_BAD;
    }
    *ts_out = 0;
    if (cJSON_IsNumber(ts)) {
        *ts_out = (int64_t)ts->valuedouble;
    } else if (cJSON_IsString(ts)) {
        (void)lb_zone_parse_instant(ts->valuestring, ts_out);
    }
    if (*ts_out == 0) {
        (void)snprintf(reason, reason_bytes, "ts is missing or no time");
        return IMPORT_BAD;
    }
    lb_buf_add_char(out, '{');
    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        if (strcmp(item->string, "ts") != 0) {
            lb_json_add_key(out, item->string);
            lb_json_add_item(out, item);
        }
    }
    if (line->site != NULL && !cJSON_HasObjectItem(json, "site")) {
        add(out, "site", line->site);
    }
    if (!cJSON_HasObjectItem(json, "id")) {
        add(out, "id", line->id);
    }
    add_ts(out, *ts_out + line->shift_ms);
    lb_buf_add_char(out, '}');
    return IMPORT_EVENT;
}

/* --- CSV
 * -----------------------------------------------------------------------------------
 */

/* The object that a column's prefix names, with the place for its pair. */
static cJSON *group_of(cJSON *event, const char *name, const char **key_out)
{
    static const char *const groups[] = {"utm", "contact", "value", "props"};

    for (int i = 0; i < 4; i++) {
        size_t len = strlen(groups[i]);
        cJSON *group;

        if (strncmp(name, groups[i], len) != 0 ||
            (name[len] != '_' && name[len] != '.')) {
            continue;
        }
        group = cJSON_GetObjectItemCaseSensitive(event, groups[i]);
        *key_out = name + len + 1;
        return group != NULL ? group
                             : cJSON_AddObjectToObject(event, groups[i]);
    }
    *key_out = name;
    return event;
}

static void add_cell(cJSON *event, const char *name, const char *cell)
{
    static const char *const skipped[] = {
        "seq",    "received",   "host",
        "source", "channel",    "click_id",
        "device", "browser",    "browser_version",
        "os",     "os_version", "traffic",
        "reason", "qr",         "double_tap"};
    const char *key = name;
    cJSON *group;

    for (size_t i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++) {
        if (strcmp(name, skipped[i]) == 0) {
            return;
        }
    }
    if (strcmp(name, "page") == 0) {
        name = "url";
    }
    if (strcmp(name, "props") == 0) {
        cJSON *props = cJSON_Parse(cell);

        if (props != NULL) {
            (void)cJSON_AddItemToObject(event, "props", props);
        }
        return;
    }
    group = group_of(event, name, &key);
    if (strcmp(key, "amount") == 0) {
        (void)cJSON_AddNumberToObject(group, key, strtod(cell, NULL));
    } else {
        (void)cJSON_AddStringToObject(group, key,
                                      cell[0] == '\'' &&
                                              strchr("=+-@", cell[1]) != NULL &&
                                              cell[1] != '\0'
                                          ? cell + 1
                                          : cell);
    }
}

static enum import_verdict write_csv(const struct import_header *header,
                                     const struct import_line *line,
                                     struct lb_buf *out,
                                     int64_t *ts_out,
                                     char *reason,
                                     size_t reason_bytes)
{
    cJSON *event = cJSON_CreateObject();
    const char *at = line->text;
    char cell[CELL_BYTES];
    size_t count = 0;
    enum import_verdict verdict;

    while (at != NULL) {
        take_cell(&at, cell, sizeof(cell));
        if (count < header->count && cell[0] != '\0') {
            add_cell(event, header->names[count], cell);
        }
        count++;
    }
    if (count != header->count) {
        (void)snprintf(reason, reason_bytes,
                       "the line has %zu cells, the header %zu", count,
                       header->count);
        cJSON_Delete(event);
        return IMPORT_BAD;
    }
    verdict = write_native(event, line, out, ts_out, reason, reason_bytes);
    cJSON_Delete(event);
    return verdict;
}

enum import_verdict import_format_event(enum import_format format,
                                        const struct import_header *header,
                                        const struct import_line *line,
                                        struct lb_buf *out,
                                        int64_t *ts_out,
                                        char *reason,
                                        size_t reason_bytes)
{
    struct lb_json_fault fault;
    enum import_verdict verdict;
    cJSON *json = NULL;

    if (format == IMPORT_CSV) {
        return write_csv(header, line, out, ts_out, reason, reason_bytes);
    }
    if (lb_json_parse(line->text, strlen(line->text), JSON_DEPTH, NULL, &json,
                      &fault) != LB_OK) {
        (void)snprintf(reason, reason_bytes, "not JSON at column %zu: %s",
                       fault.column, fault.reason);
        return IMPORT_BAD;
    }
    verdict = format == IMPORT_BITLY
                  ? write_bitly(json, line, out, ts_out, reason, reason_bytes)
                  : write_native(json, line, out, ts_out, reason, reason_bytes);
    cJSON_Delete(json);
    return verdict;
}
