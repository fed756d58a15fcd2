/* deliveries_command.c - `linkbell deliveries list|show|retry`. */
#include "alerts/deliveries_command.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/json.h"
#include "base/text.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define QUERY_BYTES 8192

struct wanted {
    const char *destination;
    const char *state;
    const char *since;
    const char *until;
    const char *rule;
    const char *site;
    const char *limit;
    bool is_dry;
    bool is_sure;
    bool has_body;
};

static const char *or_dash(const char *text)
{
    return text == NULL || text[0] == '\0' ? "-" : text;
}

/* A date or an instant as it is; a duration such as 2h is so long ago. */
static const char *read_time(const char *text, char out[LB_CLOCK_TEXT_BYTES])
{
    int64_t ms;

    if (text == NULL || !lb_config_parse_duration(text, &ms)) {
        return text;
    }
    lb_clock_format(lb_clock_wall_ms() - ms, out);
    return out;
}

/* Sends a request; -1: the answer is a 2xx, else the exit code. */
static int ask(struct lb_cli *cli,
               const char *method,
               const char *path,
               const struct lb_buf *body,
               struct lb_buf *answer)
{
    const struct lb_client_request request = {
        .method = method,
        .path = path,
        .content_type = body == NULL ? NULL : "application/json",
        .body = body};
    struct lb_error err;
    int status = 0;

    if (lb_cli_request(cli, &request, &status, answer, &err) != LB_OK) {
        return lb_cli_fail(cli, &err);
    }
    return status < 200 || status > 299
               ? lb_cli_fail_answer(cli, status, answer)
               : -1;
}

/* --- list
 * ------------------------------------------------------------------------ */

static void add_filter(struct lb_buf *path, const char *name, const char *value)
{
    if (value != NULL) {
        lb_buf_printf(path, "%c%s=",
                      strchr(lb_buf_text(path), '?') == NULL ? '?' : '&', name);
        lb_text_percent_encode(path, value);
    }
}

static void print_row(const cJSON *row)
{
    (void)printf(
        "%-19s %-16s %-10s %-20s %-8" PRId64 " %-24s %s\n",
        or_dash(lb_json_text(row, "id")),
        or_dash(lb_json_text(row, "destination")),
        or_dash(lb_json_text(row, "state")), or_dash(lb_json_text(row, "rule")),
        lb_json_int(row, "attempts"), or_dash(lb_json_text(row, "created")),
        or_dash(lb_json_text(row, "reason")));
}

static int list(struct lb_cli *cli, const struct wanted *wanted)
{
    char since[LB_CLOCK_TEXT_BYTES];
    char until[LB_CLOCK_TEXT_BYTES];
    struct lb_buf path;
    struct lb_buf answer;
    const cJSON *row;
    cJSON *json;
    int exit_code;

    lb_buf_init(&path, QUERY_BYTES);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_add_text(&path, "/v1/deliveries");
    add_filter(&path, "destination", wanted->destination);
    add_filter(&path, "state", wanted->state);
    add_filter(&path, "rule", wanted->rule);
    add_filter(&path, "site", wanted->site);
    add_filter(&path, "limit", wanted->limit);
    add_filter(&path, "from", read_time(wanted->since, since));
    add_filter(&path, "to", read_time(wanted->until, until));
    exit_code = ask(cli, "GET", lb_buf_text(&path), NULL, &answer);
    if (exit_code < 0 && cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else if (exit_code < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        if (!cli->is_quiet) {
            (void)printf("%-19s %-16s %-10s %-20s %-8s %-24s %s\n", "delivery",
                         "destination", "state", "rule", "attempts", "created",
                         "reason");
        }
        cJSON_ArrayForEach (row,
                            cJSON_GetObjectItemCaseSensitive(json, "data")) {
            print_row(row);
        }
        if (lb_json_text(json, "next") != NULL) {
            (void)fprintf(stderr, "there are more; narrow it by --since, or "
                                  "say --limit\n");
        }
        cJSON_Delete(json);
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    return exit_code < 0 ? LB_CLI_OK : exit_code;
}

/* --- show
 * ------------------------------------------------------------------------ */

static void print_attempt(const cJSON *row)
{
    int64_t status = lb_json_int(row, "status");

    (void)printf("  %" PRId64 "  %s  %s, ", lb_json_int(row, "number"),
                 or_dash(lb_json_text(row, "started")),
                 or_dash(lb_json_text(row, "outcome")));
    if (status != 0) {
        (void)printf("status %" PRId64 ", ", status);
    }
    if (lb_json_text(row, "error") != NULL) {
        (void)printf("%s, ", lb_json_text(row, "error"));
    }
    (void)printf("%" PRId64 " ms (dns %" PRId64 ", connect %" PRId64
                 ", tls %" PRId64 ", first byte %" PRId64 "), %s, %" PRId64
                 " bytes\n",
                 lb_json_int(row, "ms"), lb_json_int(row, "dns_ms"),
                 lb_json_int(row, "connect_ms"), lb_json_int(row, "tls_ms"),
                 lb_json_int(row, "first_byte_ms"),
                 or_dash(lb_json_text(row, "address")),
                 lb_json_int(row, "request_bytes"));
    if (lb_json_text(row, "excerpt") != NULL) {
        (void)printf("     it said: %s\n", lb_json_text(row, "excerpt"));
    }
}

static void print_delivery(const cJSON *json)
{
    static const char *const keys[] = {
        "id",    "message", "type",    "rule", "site",     "destination",
        "state", "reason",  "created", "due",  "remote_id"};
    const cJSON *row;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        (void)printf("%-12s %s\n", keys[i],
                     or_dash(lb_json_text(json, keys[i])));
    }
    (void)printf("%-12s %" PRId64 " used up\n", "attempts",
                 lb_json_int(json, "attempts"));
    cJSON_ArrayForEach (row, cJSON_GetObjectItemCaseSensitive(json, "log")) {
        print_attempt(row);
    }
}

static int show(struct lb_cli *cli, const char *id, bool has_body)
{
    struct lb_buf path;
    struct lb_buf answer;
    struct lb_buf body;
    cJSON *json;
    int exit_code;

    lb_buf_init(&path, QUERY_BYTES);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_init(&body, ANSWER_BYTES);
    lb_buf_add_text(&path, "/v1/deliveries/");
    lb_text_percent_encode(&path, id);
    add_filter(&path, "body", has_body ? "1" : NULL);
    exit_code = ask(cli, "GET", lb_buf_text(&path), NULL, &answer);
    if (exit_code < 0 && cli->is_json) {
        (void)printf("%s\n", lb_buf_text(&answer));
    } else if (exit_code < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        print_delivery(json);
        if (has_body) {
            lb_json_add_item(&body,
                             cJSON_GetObjectItemCaseSensitive(json, "body"));
            (void)printf("%s\n", lb_buf_text(&body));
        }
        cJSON_Delete(json);
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    lb_buf_deinit(&body);
    return exit_code < 0 ? LB_CLI_OK : exit_code;
}

/* --- retry
 * ------------------------------------------------------------------------ */

static int retry_one(struct lb_cli *cli, const char *id)
{
    struct lb_buf path;
    struct lb_buf answer;
    int exit_code;

    lb_buf_init(&path, QUERY_BYTES);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_add_text(&path, "/v1/deliveries/");
    lb_text_percent_encode(&path, id);
    lb_buf_add_text(&path, "/retry");
    exit_code = ask(cli, "POST", lb_buf_text(&path), NULL, &answer);
    if (exit_code < 0) {
        (void)printf(cli->is_json ? "%s\n" : "queued %s\n",
                     cli->is_json ? lb_buf_text(&answer) : id);
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    return exit_code < 0 ? LB_CLI_OK : exit_code;
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL) {
        lb_json_add_key(out, key);
        lb_json_add_plain_string(out, text);
    }
}

static int retry_many(struct lb_cli *cli, const struct wanted *wanted)
{
    bool is_replay =
        wanted->state != NULL && strcmp(wanted->state, "delivered") == 0;
    bool is_dry = wanted->is_dry || (is_replay && !wanted->is_sure);
    char since[LB_CLOCK_TEXT_BYTES];
    char until[LB_CLOCK_TEXT_BYTES];
    struct lb_buf body;
    struct lb_buf answer;
    cJSON *json;
    int exit_code;

    lb_buf_init(&body, QUERY_BYTES);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_add_char(&body, '{');
    add_text(&body, "destination", wanted->destination);
    add_text(&body, "state", wanted->state);
    add_text(&body, "since", read_time(wanted->since, since));
    add_text(&body, "until", read_time(wanted->until, until));
    lb_json_add_key(&body, "dry_run");
    lb_buf_add_text(&body, is_dry ? "true}" : "false}");
    exit_code = ask(cli, "POST", "/v1/deliveries/retry", &body, &answer);
    if (exit_code < 0) {
        json = cJSON_Parse(lb_buf_text(&answer));
        if (cli->is_json) {
            (void)printf("%s\n", lb_buf_text(&answer));
        } else {
            (void)printf("%s%" PRId64 "\n",
                         is_dry ? "would be queued: " : "queued: ",
                         lb_json_int(json, "queued"));
        }
        if (is_dry && !wanted->is_dry) {
            (void)fprintf(stderr,
                          "linkbell deliveries retry: these have arrived; say "
                          "--yes to send them again\n");
            exit_code = LB_CLI_USAGE;
        }
        cJSON_Delete(json);
    }
    lb_buf_deinit(&body);
    lb_buf_deinit(&answer);
    return exit_code < 0 ? LB_CLI_OK : exit_code;
}

static int retry(struct lb_cli *cli, const struct wanted *wanted)
{
    if (wanted->destination == NULL && wanted->state == NULL &&
        wanted->since == NULL && wanted->until == NULL) {
        (void)fprintf(stderr, "linkbell deliveries retry: say ID, or which by "
                              "--destination, --state, --since, --until\n");
        return LB_CLI_USAGE;
    }
    return retry_many(cli, wanted);
}

int deliveries_command(struct lb_cli *cli, int argc, char **argv)
{
    struct wanted wanted = {.destination = NULL};
    const struct lb_cli_option options[] = {
        {"destination", "D", "to that one alone", &wanted.destination, NULL},
        {"state", "S",
         "waiting, sending, held, delivered, dead, skipped; of retry dead "
         "(unless said), delivered or skipped: what max_waiting left out",
         &wanted.state, NULL},
        {"since", "TIME", "made since: a date, an instant, or 2h ago as 2h",
         &wanted.since, NULL},
        {"until", "TIME", "made before", &wanted.until, NULL},
        {"rule", "R", "of list: of that rule", &wanted.rule, NULL},
        {"site", "S", "of list: of that site", &wanted.site, NULL},
        {"limit", "N", "of list: at most so many, 100 unless said",
         &wanted.limit, NULL},
        {"dry-run", NULL, "of retry: say how many, queue none", NULL,
         &wanted.is_dry},
        {"yes", NULL, "of retry: also what has arrived", NULL, &wanted.is_sure},
        {"body", NULL, "of show: with the message", NULL, &wanted.has_body}};
    const struct lb_cli_usage usage = {
        .line = "deliveries list [--destination D] [--state S] [--since T] "
                "[--until T] | deliveries show ID [--body] | deliveries retry "
                "ID | deliveries retry [--destination D] [--state S] [--since "
                "T] [--until T] [--dry-run] [--yes]",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 2};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 1 && strcmp(words.at[0], "list") == 0) {
        return list(cli, &wanted);
    }
    if (words.count == 2 && strcmp(words.at[0], "show") == 0) {
        return show(cli, words.at[1], wanted.has_body);
    }
    if (words.count == 2 && strcmp(words.at[0], "retry") == 0) {
        return retry_one(cli, words.at[1]);
    }
    if (words.count == 1 && strcmp(words.at[0], "retry") == 0) {
        return retry(cli, &wanted);
    }
    (void)fprintf(stderr,
                  "linkbell deliveries: say list, show ID or retry [ID]\n");
    return LB_CLI_USAGE;
}
