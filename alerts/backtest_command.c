/* backtest_command.c - `linkbell rules backtest`. */
#include "alerts/backtest_command.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/zone.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define BODY_BYTES 4096
#define COLUMNS 72 /* of the plot */
#define ROWS 8
#define TABLE_MOST 50
#define EIGHTHS 8

struct plot {
    double values[COLUMNS]; /* the largest of the points of a column */
    double limits[COLUMNS]; /* the least; below 0: none */
    bool fired[COLUMNS];
    size_t count;
    double most;
};

static int64_t time_of(const cJSON *object, const char *key)
{
    const char *text = lb_json_text(object, key);
    int64_t at_ms = 0;

    return text != NULL && lb_zone_parse_instant(text, &at_ms) ? at_ms : 0;
}

static double number_of(const cJSON *object, const char *key, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

/* Text from outside must not steer the terminal. */
static void print_safely(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0';
         c++) {
        (void)putchar(*c < 0x20 || *c == 0x7f ? '?' : *c);
    }
}

static void fill_plot(const cJSON *json, struct plot *plot)
{
    const cJSON *series = cJSON_GetObjectItemCaseSensitive(json, "series");
    const size_t points = (size_t)cJSON_GetArraySize(series);
    int64_t begins[COLUMNS] = {0};
    const cJSON *item;
    size_t at = 0;

    memset(plot, 0, sizeof(*plot));
    plot->count = points < COLUMNS ? points : COLUMNS;
    for (size_t i = 0; i < COLUMNS; i++) {
        plot->limits[i] = -1;
    }
    cJSON_ArrayForEach (item, series) {
        const size_t column = at++ * plot->count / points;
        const double limit = number_of(item, "limit", -1);

        begins[column] =
            begins[column] == 0 ? time_of(item, "time") : begins[column];
        plot->values[column] =
            fmax(plot->values[column], number_of(item, "value", 0));
        if (limit >= 0 &&
            (plot->limits[column] < 0 || limit < plot->limits[column])) {
            plot->limits[column] = limit;
        }
        plot->most = fmax(plot->most, plot->values[column]);
    }
    cJSON_ArrayForEach (item,
                        cJSON_GetObjectItemCaseSensitive(json, "alerts")) {
        const int64_t fired_ms = time_of(item, "fired");
        size_t column = plot->count;

        while (column > 0 && begins[column - 1] > fired_ms) {
            column--;
        }
        if (column > 0) {
            plot->fired[column - 1] = true;
        }
    }
}

/* What a column shows in a row, counted from below. */
static const char *mark_of(const struct plot *plot, size_t column, int row)
{
    static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄",
                                                    "▅", "▆", "▇", "█"};
    const double height = plot->values[column] / plot->most * ROWS - row;
    const double limit = plot->limits[column] / plot->most * ROWS - row;

    if (height <= 0 && limit > 0 && limit <= 1) {
        return "·";
    }
    return blocks[height >= 1   ? EIGHTHS
                  : height <= 0 ? 0
                                : (int)ceil(height * EIGHTHS)];
}

static void print_plot(const struct lb_cli *cli, const cJSON *json)
{
    struct plot plot;

    fill_plot(json, &plot);
    if (plot.count == 0 || plot.most <= 0) {
        return;
    }
    (void)putchar('\n');
    for (int row = ROWS - 1; row >= 0; row--) {
        (void)printf("%10.6g |", plot.most * (row + 1) / ROWS);
        for (size_t i = 0; i < plot.count; i++) {
            (void)fputs(mark_of(&plot, i, row), stdout);
        }
        (void)putchar('\n');
    }
    (void)printf("%10s |", "fired");
    for (size_t i = 0; i < plot.count; i++) {
        (void)fputs(!plot.fired[i]     ? " "
                    : cli->is_terminal ? "\033[31m^\033[0m"
                                       : "^",
                    stdout);
    }
    (void)putchar('\n');
}

static void print_alerts(const cJSON *json)
{
    const cJSON *alerts = cJSON_GetObjectItemCaseSensitive(json, "alerts");
    const cJSON *alert;
    int count = 0;

    if (cJSON_GetArraySize(alerts) > 0) {
        (void)printf("%-20s  %s\n", "fired", "what");
    }
    cJSON_ArrayForEach (alert, alerts) {
        const char *summary = lb_json_text(alert, "summary");
        const char *fired = lb_json_text(alert, "fired");

        if (count++ == TABLE_MOST) {
            (void)printf("... and %d more (--json shows all)\n",
                         cJSON_GetArraySize(alerts) - TABLE_MOST);
            break;
        }
        (void)printf("%-19.19sZ  ", fired == NULL ? "" : fired);
        print_safely(summary == NULL ? "" : summary);
        (void)putchar('\n');
    }
}

static void print_answer(const struct lb_cli *cli, const cJSON *json)
{
    const int count =
        cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "alerts"));
    const double days = (double)(time_of(json, "to") - time_of(json, "from")) /
                        (double)LB_MS_PER_DAY;
    const cJSON *held;

    print_alerts(json);
    print_plot(cli, json);
    (void)printf("This rule would have fired %d time%s in %.3g day%s", count,
                 count == 1 ? "" : "s", days, fabs(days - 1) < 0.01 ? "" : "s");
    (void)printf(" (%.0f events).\n", number_of(json, "events", 0));
    cJSON_ArrayForEach (held,
                        cJSON_GetObjectItemCaseSensitive(json, "held_back")) {
        (void)printf("Held back by %s: %.0f\n", held->string,
                     held->valuedouble);
    }
}

static void add_member(struct lb_buf *body, const char *key, const char *value)
{
    if (value != NULL) {
        lb_json_add_key(body, key);
        lb_json_add_string(body, value);
    }
}

static int ask(struct lb_cli *cli, const struct lb_buf *body)
{
    const struct lb_client_request request = {.method = "POST",
                                              .path = "/v1/rules/backtest",
                                              .content_type =
                                                  "application/json",
                                              .body = body};
    struct lb_buf answer;
    struct lb_error err;
    int status = 0;
    int exit_code = LB_CLI_OK;

    lb_buf_init(&answer, ANSWER_BYTES);
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else if (cli->is_json) {
        (void)puts(lb_buf_text(&answer));
    } else {
        cJSON *json = cJSON_Parse(lb_buf_text(&answer));

        print_answer(cli, json);
        cJSON_Delete(json);
    }
    lb_buf_deinit(&answer);
    return exit_code;
}

int backtest_command(struct lb_cli *cli, const struct backtest_order *order)
{
    struct lb_buf body;
    int exit_code;

    lb_buf_init(&body, BODY_BYTES);
    lb_buf_add_char(&body, '{');
    add_member(&body, "rule", order->rule);
    add_member(&body, "from", order->from);
    add_member(&body, "to", order->to);
    add_member(&body, "site", order->site);
    lb_buf_add_char(&body, '}');
    exit_code = ask(cli, &body);
    lb_buf_deinit(&body);
    return exit_code;
}
