/* clickhouse.c - rows into a table of ClickHouse by its HTTP interface: a batch
 * of a stream is one insert, with the batch's id as its deduplication token; an
 * alert is a row of alerts_table.  Codes of exceptions are those of
 * ClickHouse's ErrorCodes.cpp.  A server from before the token says that it
 * knows no such setting; the insert is then made without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "alerts/rows.h"
#include "base/json.h"
#include "base/text.h"

#define STREAM_ROWS 50000
#define NAME_SET "A-Za-z0-9_"
#define NAME_CHARACTERS                                                        \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
#define NAME_BYTES 64
#define TEXT_BYTES ((size_t)128 * 1024 * 1024)
#define STEP_PLAIN 1  /* without settings that old servers do not know */
#define STEP_WINDOW 2 /* of a test: tables that know no repeated batch */

#define UNKNOWN_SETTING 115

static const char *const keys[] = {
    "database",     "table",         "user_env",     "user_file",
    "password_env", "password_file", "alerts_table", NULL};

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    static const char *const names[] = {"database", "table", "alerts_table"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct lb_yaml *node = lb_yaml_find(destination, names[i]);

        if (node != NULL &&
            (node->kind != LB_YAML_SCALAR ||
             !lb_text_is_made_of(node->text, NAME_SET, NAME_BYTES) ||
             (node->text[0] >= '0' && node->text[0] <= '9'))) {
            lb_config_fault(faults, node->line, node->column, names[i],
                            "must be a name of letters, digits and _ that "
                            "begins with no digit");
        }
    }
    if (lb_yaml_find(destination, "table") == NULL &&
        lb_yaml_find(destination, "alerts_table") == NULL) {
        lb_config_fault(faults, destination->line, destination->column, "table",
                        "is missing; for events of its stream; or name an "
                        "alerts_table for alerts");
    }
    if (lb_yaml_find(destination, "stream") != NULL &&
        lb_yaml_find(destination, "table") == NULL) {
        lb_config_fault(faults, destination->line, destination->column, "table",
                        "is missing: events of the stream go there");
    }
}

static const char *skips(const struct destination *destination,
                         const struct destination_message *message)
{
    (void)message;
    return lb_json_text(destination->body, "alerts_table") == NULL
               ? "no_alerts_table"
               : NULL;
}

/* Where the message goes; NULL: it is a sample, and there is no place for
 * alerts. */
static const char *table_of(const struct destination *destination,
                            const struct destination_message *message)
{
    return lb_json_text(destination->body,
                        message->rows == NULL ? "alerts_table" : "table");
}

static void add_login(const struct destination *destination,
                      struct destination_request *request)
{
    if (destination->user[0] != '\0') {
        lb_buf_printf(&request->headers,
                      "X-ClickHouse-User: %s\nX-ClickHouse-Key: %s\n",
                      destination->user, destination->token);
    }
}

/* A statement that names the destination's tables which take a repeated batch
 * for a new one; replicated ones know it without a setting. */
static void
ask_for_windows(const cJSON *body, const char *database, struct lb_buf *url)
{
    static const char *const tables[] = {"table", "alerts_table"};
    struct lb_buf text;

    lb_buf_init(&text, TEXT_BYTES);
    lb_buf_printf(&text,
                  "SELECT name FROM system.tables WHERE database = '%s' AND "
                  "name IN (''",
                  database);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        const char *name = lb_json_text(body, tables[i]);

        if (name != NULL) {
            lb_buf_printf(&text, ", '%s'", name);
        }
    }
    lb_buf_add_text(
        &text,
        ") AND engine LIKE '%MergeTree' AND engine NOT LIKE "
        "'Replicated%' AND engine NOT LIKE 'Shared%' AND engine_full "
        "NOT LIKE '%non_replicated_deduplication_window%' ORDER BY name");
    lb_text_percent_encode(url, lb_buf_text(&text));
    lb_buf_deinit(&text);
}

static void set_url(const struct destination *destination,
                    const struct destination_message *message,
                    struct lb_buf *url)
{
    const char *database = lb_json_text(destination->body, "database");
    const char *table = table_of(destination, message);
    size_t len = strlen(destination->url);
    bool has_settings = strchr(destination->url, '?') != NULL;

    len -= len > 0 && destination->url[len - 1] == '/' ? 1 : 0;
    lb_buf_clear(url);
    lb_buf_add(url, destination->url, len);
    lb_buf_add_text(url, has_settings ? "&" : "/?");
    lb_buf_printf(
        url, "database=%s&query=", database == NULL ? "default" : database);
    if (message->step == STEP_WINDOW) {
        ask_for_windows(destination->body,
                        database == NULL ? "default" : database, url);
        return;
    }
    if (table == NULL) { /* a sample where there is no place for alerts */
        lb_buf_printf(url, "SELECT%%201%%20FROM%%20%s%%20LIMIT%%200",
                      lb_json_text(destination->body, "table"));
        return;
    }
    lb_buf_printf(url,
                  "INSERT%%20INTO%%20%s%%20FORMAT%%20JSONEachRow"
                  "&wait_end_of_query=1",
                  table);
    lb_buf_add_text(url, "&date_time_input_format=best_effort");
    if (message->step != STEP_PLAIN) {
        lb_buf_printf(url,
                      "&insert_deduplicate=1&insert_deduplication_token=%s"
                      "&async_insert=0",
                      message->id);
    }
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    lb_json_add_key(out, key);
    lb_json_add_plain_string(out, text == NULL ? "" : text);
}

static enum lb_err add_alert(const struct destination *destination,
                             const struct destination_message *message,
                             struct lb_buf *out,
                             struct lb_error *err)
{
    struct facts facts;
    struct lb_buf data;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_init(&data, TEXT_BYTES);
    lb_json_add_item(&data, facts.data);
    lb_buf_add_char(out, '{');
    add_text(out, "id", message->id);
    add_text(out, "type", facts.type);
    add_text(out, "timestamp", facts.timestamp);
    add_text(out, "rule", lb_json_text(facts.data, "rule"));
    add_text(out, "site", lb_json_text(facts.data, "site"));
    add_text(out, "severity", lb_json_text(facts.data, "severity"));
    add_text(out, "summary", facts.summary);
    add_text(out, "data", lb_buf_text(&data));
    lb_buf_add_text(out, "}\n");
    lb_buf_deinit(&data);
    facts_free(&facts);
    return LB_OK;
}

static enum lb_err clickhouse_render(const struct destination *destination,
                                     const struct destination_message *message,
                                     struct destination_request *request,
                                     struct lb_error *err)
{
    struct lb_buf text;
    enum lb_err rc = LB_OK;

    set_url(destination, message, &request->url);
    add_login(destination, request);
    request->is_look = message->step == STEP_WINDOW;
    if (table_of(destination, message) == NULL ||
        message->step == STEP_WINDOW) {
        return LB_OK;
    }
    lb_buf_init(&text, TEXT_BYTES);
    for (size_t i = 0;
         message->rows != NULL && i < message->rows->count && rc == LB_OK;
         i++) {
        rc = rows_add_flat(message->rows->lines[i], &text);
        lb_buf_add_char(&text, '\n');
    }
    if (message->rows == NULL) {
        rc = add_alert(destination, message, &text, err);
    }
    if (rc == LB_OK) {
        rc = rows_add_gzip(lb_buf_text(&text), text.len, &request->body);
    }
    lb_buf_deinit(&text);
    if (rc != LB_OK) {
        return lb_err_set(err, rc, "the rows can't be made");
    }
    lb_buf_add_text(&request->headers, "Content-Type: application/x-ndjson\n"
                                       "Content-Encoding: gzip\n");
    return LB_OK;
}

/* --- tables
 * ------------------------------------------------------------------------ */

/* The columns of a row of a stream, flattened as in rows_add_flat(). */
static const char event_columns[] =
    "    seq UInt64, id Nullable(String), type LowCardinality(String),\n"
    "    site LowCardinality(String),\n"
    "    ts DateTime64(3, 'UTC'), received DateTime64(3, 'UTC'),\n"
    "    name Nullable(String), link Nullable(String), host Nullable(String),\n"
    "    page Nullable(String), referrer Nullable(String),\n"
    "    source Nullable(String), channel Nullable(String),\n"
    "    utm_source Nullable(String), utm_medium Nullable(String),\n"
    "    utm_campaign Nullable(String), utm_term Nullable(String),\n"
    "    utm_content Nullable(String), click_id Nullable(String),\n"
    "    country Nullable(String), region Nullable(String),\n"
    "    city Nullable(String), device Nullable(String),\n"
    "    browser Nullable(String), browser_version Nullable(String),\n"
    "    os Nullable(String), os_version Nullable(String),\n"
    "    traffic LowCardinality(String), reason Nullable(String),\n"
    "    visitor Nullable(String), qr Bool, double_tap Bool,\n"
    "    value_amount Nullable(Decimal(18, 2)),\n"
    "    value_currency Nullable(String),\n"
    "    contact_email Nullable(String), contact_name Nullable(String),\n"
    "    contact_message Nullable(String), contact_phone Nullable(String),\n"
    "    props String\n";
static const char alert_columns[] =
    "    id String, type LowCardinality(String),\n"
    "    timestamp DateTime64(3, 'UTC'), rule LowCardinality(String),\n"
    "    site LowCardinality(String), severity LowCardinality(String),\n"
    "    summary String, data String\n";

static void add_table(const cJSON *body,
                      const char *key,
                      const char *columns,
                      const char *order,
                      struct lb_buf *out)
{
    const char *database = lb_json_text(body, "database");
    const char *table = lb_json_text(body, key);

    if (table != NULL) {
        lb_buf_printf(out, "CREATE TABLE %s.%s (\n%s) ENGINE = MergeTree\n",
                      database == NULL ? "default" : database, table, columns);
        lb_buf_printf(out,
                      "ORDER BY (%s)\n"
                      "SETTINGS non_replicated_deduplication_window = 1000;\n",
                      order);
    }
}

static void clickhouse_schema(const cJSON *body, struct lb_buf *out)
{
    add_table(body, "table", event_columns, "site, type, ts, seq", out);
    add_table(body, "alerts_table", alert_columns, "site, timestamp, id", out);
}

/* --- what the answer means
 * ------------------------------------------------------------------------ */

/* "Code: 60, e.displayText() = ..."; newer ones also have a header. */
static int exception_of(const struct destination_answer *answer)
{
    const char *code = strstr(answer->body, "Code: ");

    return answer->exception != 0 ? answer->exception
           : code == NULL         ? 0
                                  : (int)strtol(code + 6, NULL, 10);
}

/* The names of tables, a line each. */
static void note_windows(const struct destination *destination,
                         const char *names,
                         char note[])
{
    const char *database = lb_json_text(destination->body, "database");
    size_t len = strspn(names, NAME_CHARACTERS);

    if (len > 0) {
        (void)snprintf(note, DESTINATION_NOTE_BYTES,
                       "the table %.*s would take a batch that is sent again "
                       "for a new one: ALTER TABLE %s.%.*s MODIFY SETTING "
                       "non_replicated_deduplication_window = 1000; see "
                       "linkbell destinations schema %s",
                       (int)len, names, database == NULL ? "default" : database,
                       (int)len, names, destination->id);
    }
}

static void clickhouse_judge(const struct destination *destination,
                             const struct destination_message *message,
                             const struct destination_answer *answer,
                             struct destination_verdict *verdict)
{
    int code = answer->status == 200 && answer->exception == 0
                   ? 0
                   : exception_of(answer);

    destination_judge(answer, verdict);
    if (message->step == STEP_WINDOW) { /* the sample was taken before */
        if (verdict->outcome == DESTINATION_SUCCESS && code == 0) {
            note_windows(destination, answer->body, verdict->note);
        }
        verdict->outcome = DESTINATION_SUCCESS;
        return;
    }
    switch (code) {
    case 0:
        if (answer->status == 401 || answer->status == 403) {
            verdict->outcome = DESTINATION_AUTH;
        } else if (verdict->outcome == DESTINATION_SUCCESS &&
                   destination_is_test(message->body)) {
            verdict->outcome = DESTINATION_NEXT;
            verdict->next_step = STEP_WINDOW;
        }
        return;
    case UNKNOWN_SETTING:
        verdict->outcome = message->step == STEP_PLAIN ? DESTINATION_PERMANENT
                                                       : DESTINATION_NEXT;
        verdict->next_step = STEP_PLAIN;
        return;
    case 60: /* no such table */
    case 81: /* no such database */
        verdict->outcome = DESTINATION_DISABLE;
        return;
    case 192: /* no such user */
    case 193: /* a wrong password */
    case 194: /* a password is needed */
    case 497: /* not allowed */
    case 516: /* authentication failed */
        verdict->outcome = DESTINATION_AUTH;
        return;
    case 6:   /* can't parse a text */
    case 16:  /* no such column */
    case 26:  /* can't parse a quoted text */
    case 27:  /* can't parse the input */
    case 38:  /* can't parse a date */
    case 41:  /* can't parse a time */
    case 53:  /* a wrong type */
    case 117: /* incorrect data */
        verdict->outcome = DESTINATION_PERMANENT;
        verdict->is_of_row = true;
        return;
    default:
        verdict->outcome = DESTINATION_RETRY;
        return;
    }
}

const struct destination_type clickhouse_type = {.name = "clickhouse",
                                                 .place = DESTINATION_URL,
                                                 .login = DESTINATION_USER,
                                                 .rate = "1/s",
                                                 .keys = keys,
                                                 .stream_rows = STREAM_ROWS,
                                                 .check = check,
                                                 .skips = skips,
                                                 .schema = clickhouse_schema,
                                                 .render = clickhouse_render,
                                                 .judge = clickhouse_judge};
