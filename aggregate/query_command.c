/* query_command.c - `linkbell query`: the stats route's answer, as a table or
 * as it is. */
#include "aggregate/query_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define PATH_BYTES 16384
#define COLUMNS 40

struct column {
    char key[80];
    bool is_dimension;
    bool is_rate;
    size_t width;
};

struct table {
    struct column columns[COLUMNS];
    size_t count;
};

/* Terminal cells of a text: characters, East Asian wide ones counted as two. */
static size_t cells(const char *text)
{
    size_t len = strlen(text);
    size_t sum = 0;

    for (size_t at = 0; at < len;) {
        int unit = lb_text_char_len(text + at, len - at);
        unsigned char c = (unsigned char)text[at];
        bool is_wide =
            unit == 4 || (unit == 3 && c >= 0xe3 && c <= 0xed) ||
            (unit == 3 && c == 0xef && (unsigned char)text[at + 1] >= 0xbc);

        sum += is_wide ? 2 : 1;
        at += (size_t)(unit < 0 ? -unit : unit);
    }
    return sum;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Text from outside must not steer the terminal. */
static void hide_controls(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = '?';
        } else if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) {
            c[0] = '?';
            c[1] = '?';
        }
    }
}

static void cell_text(const struct column *column,
                      const cJSON *row,
                      bool is_total,
                      char *out,
                      size_t out_bytes)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, column->key);

    if (column->is_dimension) {
        const char *text = cJSON_IsString(item)  ? item->valuestring
                           : cJSON_IsTrue(item)  ? "true"
                           : cJSON_IsFalse(item) ? "false"
                                                 : "-";

        (void)snprintf(out, out_bytes, "%s", is_total ? "" : text);
        hide_controls(out);
    } else if (cJSON_IsString(item)) {
        (void)snprintf(out, out_bytes, "%s", item->valuestring);
    } else if (!cJSON_IsNumber(item)) {
        (void)snprintf(out, out_bytes, "-");
    } else if (column->is_rate) {
        (void)snprintf(out, out_bytes, "%.1f%%", item->valuedouble * 100);
    } else {
        struct lb_buf text;

        lb_buf_init(&text, 64);
        lb_json_add_double(&text, item->valuedouble, 2);
        (void)snprintf(out, out_bytes, "%s", lb_buf_text(&text));
        lb_buf_deinit(&text);
    }
}

static void add_column(struct table *table,
                       const char *key,
                       bool is_dimension,
                       bool is_rate)
{
    struct column *column = &table->columns[table->count];

    if (table->count < COLUMNS) {
        (void)snprintf(column->key, sizeof(column->key), "%s", key);
        column->is_dimension = is_dimension;
        column->is_rate = is_rate;
        column->width = strlen(key);
        table->count++;
    }
}

/* Dimensions as asked for, then the metrics without their bounds. */
static void
find_columns(struct table *table, const char *by, const cJSON *totals)
{
    while (by != NULL && *by != '\0') {
        char name[80];
        size_t len = strcspn(by, ",");

        (void)snprintf(name, sizeof(name), "%.*s", (int)(len < 79 ? len : 79),
                       by);
        add_column(table, strncmp(name, "time:", 5) == 0 ? "time" : name, true,
                   false);
        by += len + (by[len] == ',' ? 1 : 0);
    }
    for (const cJSON *item = totals == NULL ? NULL : totals->child;
         item != NULL; item = item->next) {
        char n_key[96];

        if (ends_with(item->string, "_n") || ends_with(item->string, "_lo") ||
            ends_with(item->string, "_hi")) {
            continue;
        }
        (void)snprintf(n_key, sizeof(n_key), "%.*s_low_n",
                       (int)(strlen(item->string) -
                             (ends_with(item->string, "_prev") ? 5 : 0)),
                       item->string);
        add_column(table, item->string, false,
                   cJSON_HasObjectItem(totals, n_key) != 0);
    }
}

static void measure(struct table *table, const cJSON *row, bool is_total)
{
    for (size_t i = 0; i < table->count; i++) {
        char text[512];
        size_t width;

        cell_text(&table->columns[i], row, is_total, text, sizeof(text));
        width = cells(text);
        table->columns[i].width =
            width > table->columns[i].width ? width : table->columns[i].width;
    }
}

static void
print_cell(const struct column *column, const char *text, bool is_last)
{
    size_t width = cells(text);
    int pad = column->width > width ? (int)(column->width - width) : 0;

    if (column->is_dimension) {
        (void)printf("%s%*s%s", text, pad, "", is_last ? "" : "  ");
    } else {
        (void)printf("%*s%s%s", pad, "", text, is_last ? "" : "  ");
    }
}

static void
print_row(const struct table *table, const cJSON *row, bool is_total)
{
    for (size_t i = 0; i < table->count; i++) {
        char text[512];

        cell_text(&table->columns[i], row, is_total, text, sizeof(text));
        if (is_total && i == 0 && table->columns[0].is_dimension) {
            (void)snprintf(text, sizeof(text), "total");
        }
        print_cell(&table->columns[i], text, i + 1 == table->count);
    }
    (void)printf("\n");
}

static void
print_table(const struct lb_cli *cli, const char *by, const cJSON *json)
{
    struct table table = {.count = 0};
    const cJSON *rows = cJSON_GetObjectItemCaseSensitive(json, "rows");
    const cJSON *totals = cJSON_GetObjectItemCaseSensitive(json, "totals");
    const cJSON *row;

    find_columns(&table, by, totals);
    if (table.count > 0 && table.columns[0].is_dimension &&
        table.columns[0].width < 5) {
        table.columns[0].width = 5; /* "total" */
    }
    cJSON_ArrayForEach (row, rows) {
        measure(&table, row, false);
    }
    measure(&table, totals, true);
    (void)printf("%s", cli->is_terminal ? "\033[1m" : "");
    for (size_t i = 0; i < table.count; i++) {
        print_cell(&table.columns[i], table.columns[i].key,
                   i + 1 == table.count);
    }
    (void)printf("%s\n", cli->is_terminal ? "\033[0m" : "");
    cJSON_ArrayForEach (row, rows) {
        if (table.columns[0].is_dimension) {
            print_row(&table, row, false);
        }
    }
    print_row(&table, totals, true);
}

/* --- the question --------------------------------------------------------- */

/* Options, which are the parameters of GET /v1/stats but for the format. */
enum { BY = 2, FORMAT = 13, OPTION_COUNT = 14 };
static const struct {
    const char *name;
    const char *value_name;
    const char *help;
} names[OPTION_COUNT] = {
    {"site", "S", "a site's id, or * for all (the default)"},
    {"metrics", "M,M", "default: views,clicks,visitors,leads,ctr"},
    {"by", "D,D", "dimensions: source, link, country, time:day ..."},
    {"from", "DATE", "a date, or an instant (RFC 3339)"},
    {"to", "DATE", "the last date, included, or an instant"},
    {"tz", "ZONE", "an IANA zone; default: the site's"},
    {"filter", "EXPR", "source == newsletter and not (country == [FR, BE])"},
    {"traffic", "CLASS", "human (the default), preview, prefetch, bot, all"},
    {"order", "NAME:asc", "a metric or dimension, asc or desc"},
    {"limit", "N", "rows, 100 unless given"},
    {"cursor", "TEXT", "where the answer before said to go on"},
    {"period", "P",
     "today, yesterday, 7d, 28d, 30d, month, last_month, 12mo, all"},
    {"compare", "RANGE", "previous or year: adds the figures of then"},
    {"format", "F", "table, json or csv"}};

static bool is_format(const char *format)
{
    return strcmp(format, "table") == 0 || strcmp(format, "json") == 0 ||
           strcmp(format, "csv") == 0;
}

static enum lb_err ask(struct lb_cli *cli,
                       const char *const *values,
                       bool is_explained,
                       int *status_out,
                       struct lb_buf *answer_out,
                       struct lb_error *err)
{
    struct lb_client_request request = {.method = "GET"};
    struct lb_buf path;
    enum lb_err rc;

    lb_buf_init(&path, PATH_BYTES);
    lb_buf_printf(&path, "/v1/stats?format=%s%s",
                  strcmp(values[FORMAT], "csv") == 0 ? "csv" : "json",
                  is_explained ? "&explain=true" : "");
    for (size_t i = 0; i < FORMAT; i++) {
        if (values[i] != NULL) {
            lb_buf_printf(&path, "&%s=", names[i].name);
            lb_text_percent_encode(&path, values[i]);
        }
    }
    request.path = lb_buf_text(&path);
    rc = lb_cli_request(cli, &request, status_out, answer_out, err);
    lb_buf_deinit(&path);
    return rc;
}

/* What was read, beside the table. */
static void print_explain(const cJSON *json)
{
    const cJSON *explain = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(json, "meta"), "explain");
    const cJSON *ms = cJSON_GetObjectItemCaseSensitive(explain, "ms");

    if (explain != NULL) {
        (void)fprintf(stderr,
                      "Read: %lld rows of 15 minutes, %lld counted days, %lld "
                      "segments with %lld events, %lld events one by one; "
                      "%.1f ms\n",
                      (long long)lb_json_int(explain, "totals"),
                      (long long)lb_json_int(explain, "days"),
                      (long long)lb_json_int(explain, "segments"),
                      (long long)lb_json_int(explain, "sealed_events"),
                      (long long)lb_json_int(explain, "events"),
                      cJSON_IsNumber(ms) ? ms->valuedouble : 0);
    }
}

static void print_answer(const struct lb_cli *cli,
                         const char *const *values,
                         const struct lb_buf *answer)
{
    if (strcmp(values[FORMAT], "table") == 0) {
        cJSON *json = cJSON_Parse(lb_buf_text(answer));

        const char *next = lb_json_text(json, "next");

        print_table(cli, values[BY], json);
        if (next != NULL && !cli->is_quiet) {
            (void)fprintf(stderr,
                          "There are more rows: --limit N, or go on "
                          "with --cursor %s\n",
                          next);
        }
        print_explain(json);
        cJSON_Delete(json);
    } else {
        (void)fwrite(lb_buf_text(answer), 1, answer->len, stdout);
    }
}

int query_command(struct lb_cli *cli, int argc, char **argv)
{
    const char *values[OPTION_COUNT] = {NULL};
    struct lb_cli_option options[OPTION_COUNT + 1];
    bool is_explained = false;
    struct lb_buf answer;
    struct lb_error err;
    const struct lb_cli_usage usage = {
        .line = "query [--site S] [--metrics M,M] [--by D,D] [--from --to "
                "--period --tz] [--filter EXPR] [--compare previous|year] "
                "[--format table|json|csv] [--explain]",
        .options = options,
        .option_count = OPTION_COUNT + 1};
    int status = 0;
    int exit_code;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        options[i] = (struct lb_cli_option){names[i].name, names[i].value_name,
                                            names[i].help, &values[i], NULL};
    }
    options[OPTION_COUNT] = (struct lb_cli_option){
        "explain", NULL, "say what was read, and how long it took", NULL,
        &is_explained};
    exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);
    if (exit_code >= 0) {
        return exit_code;
    }
    values[FORMAT] = values[FORMAT] != NULL ? values[FORMAT]
                     : cli->is_json         ? "json"
                                            : "table";
    if (!is_format(values[FORMAT])) {
        (void)fprintf(stderr,
                      "linkbell query: --format is table, json or csv\n");
        return LB_CLI_USAGE;
    }
    lb_buf_init(&answer, ANSWER_BYTES);
    if (ask(cli, values, is_explained, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else {
        print_answer(cli, values, &answer);
        exit_code = LB_CLI_OK;
    }
    lb_buf_deinit(&answer);
    return exit_code;
}
