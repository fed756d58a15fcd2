/* import_command.c - `linkbell import`. */
#include "ingest/import_command.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "ingest/import_format.h"

#define LINE_BYTES ((size_t)1024 * 1024)
#define SEND_EVENTS 1000 /* in one request, so in one group */
#define SEND_BYTES ((size_t)4 * 1024 * 1024)
#define REPEAT_SLOTS (1u << 22) /* lines told apart by their count */

struct import {
    struct lb_cli *cli;
    const char *path;
    const char *site;
    enum import_format format;
    struct import_header *header; /* owned */
    bool is_strict;
    bool is_firing;
    int64_t shift_ms;
    char session[17];
    char *line;              /* owned */
    uint64_t *repeat_hashes; /* owned; open addressing */
    uint32_t *repeat_counts; /* owned */
    struct lb_buf body;
    struct lb_buf ids;
    unsigned long numbers[SEND_EVENTS]; /* of the batch's lines */
    size_t batch_count;
    unsigned long line_number;
    size_t lines;
    size_t accepted;
    size_t duplicates;
    size_t rejected;
    size_t ignored;
    int64_t first_ms;
    int64_t last_ms;
    bool is_stopped;
    struct lb_error err;
};

static void bad_line(struct import *import,
                     unsigned long number,
                     const char *code,
                     const char *message)
{
    import->rejected++;
    (void)fprintf(stderr, "%s:%lu: %s: %s\n", import->path, number, code,
                  message);
    if (import->is_strict) {
        import->is_stopped = true;
    }
}

/* How often a line of these bytes stood before in the file. */
static uint32_t count_line(struct import *import, const char *text, size_t len)
{
    static const uint8_t key[LB_HASH_KEY_BYTES] = {3};
    uint64_t hash = lb_hash_sip(key, text, len) | 1;
    size_t at = (size_t)(hash >> 20) & (REPEAT_SLOTS - 1);

    for (size_t tries = 0; tries < 64;
         tries++, at = (at + 1) & (REPEAT_SLOTS - 1)) {
        if (import->repeat_hashes[at] == hash) {
            return import->repeat_counts[at]++;
        }
        if (import->repeat_hashes[at] == 0) {
            import->repeat_hashes[at] = hash;
            import->repeat_counts[at] = 1;
            return 0;
        }
    }
    return 0;
}

/* 16 hex digits of format, bytes and repetition. */
static void
line_id(struct import *import, const char *text, size_t len, char out[17])
{
    uint32_t repeat = count_line(import, text, len);
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX ctx;
    int format = (int)import->format;

    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, &format, sizeof(format));
    (void)SHA256_Update(&ctx, text, len);
    (void)SHA256_Update(&ctx, &repeat, sizeof(repeat));
    (void)SHA256_Final(digest, &ctx);
    lb_text_to_hex(digest, 8, out);
}

/* --- sending
 * --------------------------------------------------------------------------------
 */

static void read_errors(struct import *import, const cJSON *json)
{
    const cJSON *error;

    cJSON_ArrayForEach (error,
                        cJSON_GetObjectItemCaseSensitive(json, "errors")) {
        const cJSON *index = cJSON_GetObjectItemCaseSensitive(error, "index");
        size_t at = cJSON_IsNumber(index) ? (size_t)index->valuedouble : 0;

        (void)fprintf(stderr, "%s:%lu: %s: %s\n", import->path,
                      at < import->batch_count ? import->numbers[at] : 0,
                      lb_json_text(error, "code"),
                      lb_json_text(error, "message"));
    }
}

static bool send_to(struct import *import,
                    const char *path,
                    const char *type,
                    struct lb_buf *body,
                    struct lb_buf *answer)
{
    const struct lb_client_request request = {
        .method = "POST", .path = path, .content_type = type, .body = body};
    int status = 0;

    for (int tries = 0; tries < 600; tries++) {
        lb_buf_clear(answer);
        if (lb_cli_request(import->cli, &request, &status, answer,
                           &import->err) != LB_OK) {
            (void)lb_cli_fail(import->cli, &import->err);
            return false;
        }
        if (status != 503) {
            break;
        }
        (void)usleep(100000); /* the service asks for patience */
    }
    if (status != 202 && status != 422 && status != 200) {
        (void)lb_cli_fail_answer(import->cli, status, answer);
        return false;
    }
    return true;
}

static bool send_ids(struct import *import)
{
    char path[128];
    struct lb_buf answer;
    bool is_sent = true;

    if (import->ids.len == 0) {
        return true;
    }
    lb_buf_init(&answer, SEND_BYTES);
    (void)snprintf(path, sizeof(path), "/v1/import/ids?session=%s",
                   import->session);
    is_sent =
        send_to(import, path, "application/x-ndjson", &import->ids, &answer);
    lb_buf_clear(&import->ids);
    lb_buf_deinit(&answer);
    return is_sent;
}

static bool send_batch(struct import *import, bool is_last)
{
    char path[160];
    struct lb_buf answer;
    bool is_sent;
    cJSON *json;

    if (import->batch_count == 0) {
        return true;
    }
    lb_buf_init(&answer, SEND_BYTES);
    (void)snprintf(path, sizeof(path), "/v1/import?session=%s&last=%d&fire=%d",
                   import->session, is_last, import->is_firing);
    is_sent =
        send_to(import, path, "application/x-ndjson", &import->body, &answer);
    if (is_sent) {
        json = cJSON_Parse(lb_buf_text(&answer));
        import->accepted += (size_t)lb_json_int(json, "accepted");
        import->duplicates += (size_t)lb_json_int(json, "duplicates");
        import->rejected += (size_t)lb_json_int(json, "rejected");
        import->is_stopped =
            import->is_strict && lb_json_int(json, "rejected") > 0;
        read_errors(import, json);
        cJSON_Delete(json);
    }
    lb_buf_clear(&import->body);
    import->batch_count = 0;
    lb_buf_deinit(&answer);
    return is_sent;
}

/* --- lines
 * -----------------------------------------------------------------------------------
 */

typedef bool (*line_fn)(struct import *import, const char *text);

/* Calls each for every line that is not blank, from the start; false: it
 * stopped. */
static bool each_line(struct import *import, line_fn each)
{
    bool is_stdin = strcmp(import->path, "-") == 0;
    gzFile file = is_stdin ? gzdopen(dup(STDIN_FILENO), "rb")
                           : gzopen(import->path, "rb");
    bool is_going_on = true;

    if (file == NULL) {
        (void)lb_err_set(&import->err, LB_ENOENT,
                         "%s can't be read; is the name right?", import->path);
        (void)lb_cli_fail(import->cli, &import->err);
        return false;
    }
    (void)gzbuffer(file, 256 * 1024);
    import->line_number = 0;
    memset(import->repeat_hashes, 0,
           REPEAT_SLOTS * sizeof(*import->repeat_hashes));
    while (is_going_on && !import->is_stopped &&
           gzgets(file, import->line, (int)LINE_BYTES) != NULL) {
        size_t len = strlen(import->line);

        import->line_number++;
        while (len > 0 && (import->line[len - 1] == '\n' ||
                           import->line[len - 1] == '\r')) {
            import->line[--len] = '\0';
        }
        if (len > 0) {
            is_going_on = each(import, import->line);
        }
    }
    (void)gzclose(file);
    return is_going_on;
}

static bool learn_format(struct import *import, const char *text)
{
    char reason[120];

    if (import->format == IMPORT_AUTO) {
        import->format = import_format_guess(text);
    }
    if (import->format == IMPORT_CSV && import->header == NULL) {
        import->header = import_format_header(text, reason, sizeof(reason));
        if (import->header == NULL) {
            (void)lb_err_set(&import->err, LB_EFORMAT, "%s:1: %s", import->path,
                             reason);
            (void)lb_cli_fail(import->cli, &import->err);
            return false;
        }
    }
    return true;
}

static bool is_header(const struct import *import)
{
    return import->format == IMPORT_CSV && import->line_number == 1;
}

static enum import_verdict convert(struct import *import,
                                   const char *text,
                                   struct lb_buf *out,
                                   int64_t *ts_out,
                                   char id[17],
                                   char reason[160])
{
    struct import_line line = {text, import->site, id, import->shift_ms};

    line_id(import, text, strlen(text), id);
    return import_format_event(import->format, import->header, &line, out,
                               ts_out, reason, 160);
}

/* First pass: times, and which ids the log knows. */
static bool look_at(struct import *import, const char *text)
{
    struct lb_buf event;
    char reason[160];
    char id[17];
    int64_t ts_ms = 0;
    bool is_going_on = learn_format(import, text);

    if (!is_going_on || is_header(import)) {
        return is_going_on;
    }
    lb_buf_init(&event, LINE_BYTES);
    if (convert(import, text, &event, &ts_ms, id, reason) == IMPORT_EVENT) {
        cJSON *json = cJSON_Parse(lb_buf_text(&event));
        const char *site = lb_json_text(json, "site");
        const char *own = lb_json_text(json, "id");

        import->last_ms = ts_ms > import->last_ms ? ts_ms : import->last_ms;
        import->first_ms = import->first_ms == 0 || ts_ms < import->first_ms ? ts_ms
            : import->first_ms;
        if (site != NULL && own != NULL) {
            lb_buf_printf(&import->ids, "%s\t%s\n", site, own);
        }
        cJSON_Delete(json);
        if (import->ids.len > SEND_BYTES) {
            is_going_on = send_ids(import);
        }
    }
    lb_buf_deinit(&event);
    return is_going_on;
}

/* Second pass: sends. */
static bool take(struct import *import, const char *text)
{
    char reason[160];
    char id[17];
    int64_t ts_ms = 0;
    size_t before = import->body.len;

    if (!learn_format(import, text)) {
        return false;
    }
    if (is_header(import)) {
        return true;
    }
    import->lines++;
    switch (convert(import, text, &import->body, &ts_ms, id, reason)) {
    case IMPORT_IGNORED:
        import->ignored++;
        return true;
    case IMPORT_BAD:
        import->body.len = before;
        bad_line(import, import->line_number, "bad_line", reason);
        return true;
    case IMPORT_EVENT:
        break;
    }
    lb_buf_add_char(&import->body, '\n');
    import->numbers[import->batch_count++] = import->line_number;
    lb_cli_progress(import->cli, "lines", import->lines, 0);
    return import->batch_count < SEND_EVENTS && import->body.len < SEND_BYTES
               ? true
               : send_batch(import, false);
}

/* --- the verb
 * ----------------------------------------------------------------------------------
 */

static void print_result(const struct import *import, int64_t began_ms)
{
    char from[LB_CLOCK_TEXT_BYTES] = "";
    char to[LB_CLOCK_TEXT_BYTES] = "";
    double seconds = (double)(lb_clock_mono_ms() - began_ms) / 1000;

    if (import->last_ms != 0) {
        lb_clock_format(import->first_ms + import->shift_ms, from);
        lb_clock_format(import->last_ms + import->shift_ms, to);
    }
    if (import->cli->is_json) {
        (void)printf("{\"lines\":%zu,\"accepted\":%zu,\"duplicates\":%zu,"
                     "\"rejected\":%zu,\"ignored\":%zu,\"from\":\"%s\",\"to\":"
                     "\"%s\",\"seconds\":%.3f}\n",
                     import->lines, import->accepted, import->duplicates,
                     import->rejected, import->ignored, from, to, seconds);
        return;
    }
    (void)printf("%zu lines: %zu events taken, %zu known already, %zu refused, "
                 "%zu ignored\n",
                 import->lines, import->accepted, import->duplicates,
                 import->rejected, import->ignored);
    if (import->last_ms != 0) {
        (void)printf("from %s to %s", from, to);
        if (import->shift_ms != 0) {
            (void)printf(", moved in time by %" PRId64 " days",
                         import->shift_ms / LB_MS_PER_DAY);
        }
        (void)printf(", in %.1f s\n", seconds);
    }
}

static bool read_shift(struct import *import, const char *shift)
{
    int64_t ms = 0;

    if (shift == NULL) {
        return true;
    }
    if (strcmp(shift, "now") == 0) {
        import->shift_ms =
            import->last_ms == 0 ? 0 : lb_clock_wall_ms() - import->last_ms;
        return true;
    }
    if (!lb_config_parse_duration(shift[0] == '-' ? shift + 1 : shift, &ms)) {
        (void)fprintf(
            stderr,
            "linkbell import: --shift is now or a duration such as 30d\n");
        return false;
    }
    import->shift_ms = shift[0] == '-' ? -ms : ms;
    return true;
}

static int run_import(struct import *import, const char *shift)
{
    bool is_stdin = strcmp(import->path, "-") == 0;
    int64_t began_ms = lb_clock_mono_ms();
    bool is_done = true;

    /* Standard input can't be read twice: only its own repeats are then known.
     */
    if (!is_stdin) {
        is_done = each_line(import, look_at) && send_ids(import);
    } else if (shift != NULL && strcmp(shift, "now") == 0) {
        (void)fprintf(
            stderr,
            "linkbell import: --shift now needs a file, not standard input\n");
        return LB_CLI_USAGE;
    }
    if (!is_done || !read_shift(import, shift)) {
        return LB_CLI_FAILED;
    }
    is_done = each_line(import, take) && send_batch(import, true);
    lb_cli_progress_end(import->cli);
    print_result(import, began_ms);
    if (!is_done ||
        (import->rejected > 0 &&
         (import->is_strict || import->accepted + import->duplicates == 0))) {
        return LB_CLI_FAILED;
    }
    return LB_CLI_OK;
}

int import_command(struct lb_cli *cli, int argc, char **argv)
{
    static struct import import;
    const char *format = "auto";
    const char *shift = NULL;
    const struct lb_cli_option options[] = {
        {"site", "S", "the site of lines that name none", &import.site, NULL},
        {"format", "F", "auto, ndjson, csv or bitly", &format, NULL},
        {"shift", "now|DURATION",
         "move all times by one amount; now: so that the last event is now",
         &shift, NULL},
        {"strict", NULL, "stop at the first bad line", NULL, &import.is_strict},
        {"fire-alerts", NULL, "rules may ring; without it they only learn",
         NULL, &import.is_firing}};
    const struct lb_cli_usage usage = {
        .line = "import [--site S] [--format F] [--shift now|DURATION] "
                "[--strict] [--fire-alerts] FILE|-",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 1};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 0 || !import_format_find(format, &import.format)) {
        (void)fprintf(stderr, words.count == 0
                                  ? "linkbell import: name the file to load, "
                                    "or - for standard input\n"
                                  : "linkbell import: --format is auto, "
                                    "ndjson, csv or bitly in this version\n");
        return LB_CLI_USAGE;
    }
    import.cli = cli;
    import.path = words.at[0];
    lb_buf_init(&import.body, 2 * SEND_BYTES);
    lb_buf_init(&import.ids, 2 * SEND_BYTES);
    import.line = malloc(LINE_BYTES);
    import.repeat_hashes = calloc(REPEAT_SLOTS, sizeof(*import.repeat_hashes));
    import.repeat_counts = calloc(REPEAT_SLOTS, sizeof(*import.repeat_counts));
    if (import.line == NULL || import.repeat_hashes == NULL ||
        import.repeat_counts == NULL ||
        !lb_secret_id("", import.session, sizeof(import.session))) {
        (void)fprintf(stderr, "linkbell import: out of memory\n");
        exit_code = LB_CLI_FAILED;
    } else {
        exit_code = run_import(&import, shift);
    }
    free(import.line);
    free(import.repeat_hashes);
    free(import.repeat_counts);
    import_format_header_free(import.header);
    lb_buf_deinit(&import.body);
    lb_buf_deinit(&import.ids);
    return exit_code;
}
