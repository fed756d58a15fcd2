/* import_command.c - `linkbell import`. */
#include "ingest/import_command.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/secret.h"
#include "base/text.h"
#include "ingest/import_file.h"
#include "ingest/import_sender.h"

#define PEEK_BYTES 4096 /* of a file, by which it is known again */
#define NAME_BYTES 16
#define MAP_BYTES ((long)256 * 1024)
#define SCRATCH_BYTES ((size_t)64 * 1024 * 1024)
#define LOOK_US 200000   /* between looks at a file that is followed */
#define LATE_US 1000000  /* whoever writes a rotated log may still do so */
#define PROGRESS_MASK 63 /* records between looks at the clock */

struct import {
    struct lb_cli *cli;
    const char *path;
    const char *map_path;
    struct import_file *file; /* owned */
    struct import_order order;
    struct import_reader *reader; /* owned; for looking at records here */
    struct import_sender *sender; /* owned */
    struct lb_arena *scratch;     /* owned */
    char *header;                 /* owned */
    char *map;                    /* owned */
    char session[2 * NAME_BYTES + 1];
    bool is_following;
    size_t lines;
    struct lb_error err;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static void watch_signals(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* --- how to read ----------------------------------------------------------
 */

static enum lb_err read_map(struct import *import)
{
    FILE *file;
    size_t used;

    if (import->map_path == NULL) {
        return LB_OK;
    }
    file = fopen(import->map_path, "re");
    import->map = malloc((size_t)MAP_BYTES + 1);
    if (file == NULL || import->map == NULL) {
        if (file != NULL) {
            (void)fclose(file);
        }
        return lb_err_set(&import->err, LB_ENOENT, "%s can't be read",
                          import->map_path);
    }
    used = fread(import->map, 1, (size_t)MAP_BYTES, file);
    import->map[used] = '\0';
    (void)fclose(file);
    import->order.spec.map = import->map;
    return LB_OK;
}

/* The name of the run, so that the same file, run again, goes on. */
static void name_session(struct import *import, const char *bytes, size_t len)
{
    const struct import_spec *spec = &import->order.spec;
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX ctx;
    const char *site = spec->site == NULL ? "" : spec->site;
    const char *format = import_format_name(spec->format);

    (void)SHA256_Init(&ctx);
    (void)SHA256_Update(&ctx, format, strlen(format) + 1);
    (void)SHA256_Update(&ctx, site, strlen(site) + 1);
    (void)SHA256_Update(&ctx, bytes, len);
    (void)SHA256_Final(digest, &ctx);
    lb_text_to_hex(digest, NAME_BYTES, import->session);
}

/* Takes the first row off a table, unless it is there already or not written so
 * far, and makes what reads records here. */
static enum lb_err take_header(struct import *import)
{
    struct import_spec *spec = &import->order.spec;
    struct import_file_record record;
    bool has_record = false;
    bool is_table = import_format_is_table(spec->format);
    enum lb_err rc = LB_OK;

    if (is_table && import->header == NULL) {
        rc = import_file_next(import->file, spec->format, import->is_following,
                              &record, &has_record, &import->err);
        if (rc == LB_OK && has_record && record.fault == NULL) {
            import->header = strndup(record.text, record.len);
        }
        spec->header = import->header;
    }
    if (rc != LB_OK || import->reader != NULL ||
        (is_table && import->header == NULL)) {
        return rc;
    }
    rc = import_reader_new(spec, &import->reader, &import->err);
    return rc == LB_OK
               ? LB_OK
               : lb_err_prefix(&import->err, "%s",
                               import->map_path == NULL ? import->path
                                                        : import->map_path);
}

static void drop_header(struct import *import)
{
    free(import->header);
    import->header = NULL;
    import_reader_free(import->reader);
    import->reader = NULL;
}

/* Reads the beginning: format, first row, and whether they make sense. */
static enum lb_err learn(struct import *import)
{
    struct import_spec *spec = &import->order.spec;
    const char *bytes = "";
    size_t len = 0;
    size_t used = 0;
    size_t next = 0;
    enum lb_err rc =
        import_file_peek(import->file, PEEK_BYTES, &bytes, &len, &import->err);

    if (rc != LB_OK) {
        return rc;
    }
    if (spec->format == IMPORT_AUTO) {
        char *first;

        (void)import_format_record(IMPORT_NDJSON, bytes, len, &used, &next);
        first = strndup(bytes, used);

        spec->format = import->map != NULL ? IMPORT_CSV
                       : first == NULL || first[0] == '\0'
                           ? IMPORT_NDJSON
                           : import_format_guess(first);
        free(first);
    }
    name_session(import, bytes, len);
    return take_header(import);
}

/* An event's time and weight; false: the record is none. */
static bool look_at(struct import *import,
                    const struct import_file_record *from,
                    struct import_event *event_out)
{
    struct import_record record = {from->text, from->len, "0"};
    struct event_fault fault;

    lb_arena_clear(import->scratch);
    return import_reader_read(import->reader, &record, import->scratch,
                              event_out, &fault) == IMPORT_EVENT;
}

/* --- moving in time -------------------------------------------------------
 */

/* Reads the whole file for its last time. */
static enum lb_err find_last(struct import *import, int64_t *last_ms_out)
{
    struct import_file_record record;
    struct import_event event;
    bool has_record = true;
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && has_record && is_interrupted == 0) {
        rc = import_file_next(import->file, import->order.spec.format, false,
                              &record, &has_record, &import->err);
        if (rc == LB_OK && has_record && record.fault == NULL &&
            record.len > 0 && look_at(import, &record, &event)) {
            *last_ms_out =
                event.ts_at_ms > *last_ms_out ? event.ts_at_ms : *last_ms_out;
        }
    }
    drop_header(import);
    return rc == LB_OK ? import_file_rewind(import->file, &import->err) : rc;
}

static enum lb_err read_shift(struct import *import, const char *shift)
{
    int64_t *shift_ms = &import->order.spec.shift_ms;
    int64_t last_ms = 0;
    enum lb_err rc;

    if (shift == NULL) {
        return LB_OK;
    }
    if (strcmp(shift, "now") != 0) {
        (void)lb_config_parse_duration(shift[0] == '-' ? shift + 1 : shift,
                                       shift_ms);
        *shift_ms = shift[0] == '-' ? -*shift_ms : *shift_ms;
        return LB_OK;
    }
    rc = find_last(import, &last_ms);
    *shift_ms = last_ms == 0 ? 0 : lb_clock_wall_ms() - last_ms;
    return rc;
}

/* --- sending --------------------------------------------------------------
 */

static enum lb_err add(struct import *import,
                       const struct import_file_record *record)
{
    struct import_sender_record sent = {record->text, record->len, record->line,
                                        1};
    struct import_event event;
    enum lb_err rc;

    import->lines++;
    if (record->fault != NULL) {
        return import_sender_refuse(import->sender, record->line, record->fault,
                                    &import->err);
    }
    if (import_reader_has_sums(import->reader) &&
        look_at(import, record, &event)) {
        sent.weight = event.count; /* a row stands for many */
    }
    rc = import_sender_add(import->sender, &sent, &import->err);
    if ((import->lines & PROGRESS_MASK) == 0) {
        lb_cli_progress(import->cli, "lines", import->lines,
                        import_file_share(import->file));
    }
    return rc;
}

/* Sends records up to the end of the file, for now. */
static enum lb_err send_all(struct import *import, bool is_growing)
{
    struct import_file_record record;
    enum lb_err rc = take_header(import);
    bool has_record = import->reader != NULL;

    while (rc == LB_OK && has_record && is_interrupted == 0 &&
           !import_sender_is_stopped(import->sender)) {
        rc = import_file_next(import->file, import->order.spec.format,
                              is_growing, &record, &has_record, &import->err);
        if (rc == LB_OK && has_record &&
            (record.len > 0 || record.fault != NULL)) {
            rc = add(import, &record);
        }
    }
    return rc;
}

/* Another file: what was known of the one before does not count for it. */
static enum lb_err begin_anew(struct import *import)
{
    enum lb_err rc = import_sender_flush(import->sender, false, &import->err);

    import_sender_forget(import->sender);
    drop_header(import);
    return rc == LB_OK ? import_file_restart(import->file, &import->err) : rc;
}

/* The file was replaced: first what is left of the old one. */
static enum lb_err change_file(struct import *import)
{
    enum lb_err rc;

    (void)usleep(LATE_US);
    rc = send_all(import, false);
    return rc == LB_OK ? begin_anew(import) : rc;
}

static enum lb_err follow(struct import *import)
{
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && is_interrupted == 0 &&
           !import_sender_is_stopped(import->sender)) {
        rc = import_sender_flush(import->sender, false, &import->err);
        if (rc != LB_OK) {
            break;
        }
        switch (import_file_look(import->file)) {
        case IMPORT_FILE_SAME:
            (void)usleep(LOOK_US);
            break;
        case IMPORT_FILE_GROWN:
            rc = send_all(import, true);
            break;
        case IMPORT_FILE_CUT:
            rc = begin_anew(import);
            break;
        case IMPORT_FILE_REPLACED:
            rc = change_file(import);
            break;
        }
    }
    return rc;
}

static enum lb_err send_file(struct import *import)
{
    enum lb_err rc = send_all(import, import->is_following);

    if (rc == LB_OK && import->is_following) {
        rc = follow(import);
    }
    return rc == LB_OK
               ? import_sender_flush(
                     import->sender,
                     !import->is_following && is_interrupted == 0, &import->err)
               : rc;
}

/* --- the verb -------------------------------------------------------------
 */

static void print_result(const struct import *import, int64_t began_ms)
{
    const struct import_sums *sums = import_sender_sums(import->sender);
    char from[LB_CLOCK_TEXT_BYTES] = "";
    char to[LB_CLOCK_TEXT_BYTES] = "";
    double seconds = (double)(lb_clock_mono_ms() - began_ms) / 1000;
    int64_t shift_ms = import->order.spec.shift_ms;

    if (sums->first_ms != 0) {
        lb_clock_format(sums->first_ms, from);
        lb_clock_format(sums->last_ms, to);
    }
    if (import->cli->is_json) {
        (void)printf("{\"lines\":%zu,\"accepted\":%zu,\"duplicates\":%zu,"
                     "\"rejected\":%zu,\"ignored\":%zu,\"from\":\"%s\",\"to\":"
                     "\"%s\",\"seconds\":%.3f}\n",
                     import->lines, sums->accepted, sums->duplicates,
                     sums->rejected, sums->ignored, from, to, seconds);
        return;
    }
    (void)printf("%zu lines: %zu events taken, %zu known already, %zu refused, "
                 "%zu ignored\n",
                 import->lines, sums->accepted, sums->duplicates,
                 sums->rejected, sums->ignored);
    if (sums->first_ms != 0) {
        (void)printf("from %s to %s", from, to);
        if (shift_ms != 0) {
            (void)printf(", moved in time by %" PRId64 " days",
                         shift_ms / LB_MS_PER_DAY);
        }
        (void)printf(", in %.1f s\n", seconds);
    }
}

/* Exit code of an import that came to its end, or was told to. */
static int judge(const struct import *import)
{
    const struct import_sums *sums = import_sender_sums(import->sender);

    if (is_interrupted != 0 && !import->is_following) {
        (void)fprintf(stderr, "linkbell import: interrupted; run it again to "
                              "go on\n");
        return LB_CLI_FAILED;
    }
    return sums->rejected > 0 && (import->order.is_strict ||
                                  sums->accepted + sums->duplicates == 0)
               ? LB_CLI_FAILED
               : LB_CLI_OK;
}

static int run_import(struct import *import, const char *shift)
{
    int64_t began_ms = lb_clock_mono_ms();
    enum lb_err rc = read_map(import);

    rc = rc == LB_OK
             ? import_file_open(import->path, &import->file, &import->err)
             : rc;
    rc = rc == LB_OK ? learn(import) : rc;
    if (rc == LB_OK && import->is_following &&
        import_file_is_packed(import->file)) {
        rc = lb_err_set(&import->err, LB_EINVAL,
                        "--follow needs a file that is not packed");
    }
    rc = rc == LB_OK ? read_shift(import, shift) : rc;
    rc = rc == LB_OK
             ? import_sender_new(import->cli, import->path, import->session,
                                 &import->order, &import->sender, &import->err)
             : rc;
    if (rc != LB_OK) {
        return lb_cli_fail(import->cli, &import->err);
    }
    rc = send_file(import);
    lb_cli_progress_end(import->cli);
    print_result(import, began_ms);
    return rc == LB_OK ? judge(import) : lb_cli_fail(import->cli, &import->err);
}

/* Faults of the usage that the options themselves don't show; -1: none. */
static int
check_usage(const struct import *import, const char *format, const char *shift)
{
    const char *what = NULL;
    bool is_stdin;
    int64_t ms = 0;

    if (import->path == NULL) {
        what = "name the file to load, or - for standard input";
    } else if (format == NULL) {
        what = "--format is " IMPORT_FORMAT_NAMES;
    } else if (shift != NULL && strcmp(shift, "now") != 0 &&
               !lb_config_parse_duration(shift[0] == '-' ? shift + 1 : shift,
                                         &ms)) {
        what = "--shift is now or a duration such as 30d";
    }
    is_stdin = import->path != NULL && strcmp(import->path, "-") == 0;
    if (what == NULL && is_stdin && import->is_following) {
        what = "--follow needs a file, not standard input";
    } else if (what == NULL && shift != NULL && strcmp(shift, "now") == 0 &&
               (is_stdin || import->is_following)) {
        what = "--shift now needs a file that is read to its end";
    }
    if (what != NULL) {
        (void)fprintf(stderr, "linkbell import: %s\n", what);
    }
    return what == NULL ? -1 : LB_CLI_USAGE;
}

static void free_import(struct import *import)
{
    import_sender_free(import->sender);
    import_reader_free(import->reader);
    import_file_close(import->file);
    lb_arena_free(import->scratch);
    free(import->header);
    free(import->map);
}

int import_command(struct lb_cli *cli, int argc, char **argv)
{
    static struct import import;
    struct import_order *order = &import.order;
    const char *format = "auto";
    const char *shift = NULL;
    const struct lb_cli_option options[] = {
        {"site", "S", "the site of lines that name none", &order->spec.site,
         NULL},
        {"format", "F", IMPORT_FORMAT_NAMES, &format, NULL},
        {"map", "FILE", "names the columns of a CSV file (YAML)",
         &import.map_path, NULL},
        {"shift", "now|DURATION",
         "move all times by one amount; now: so that the last event is now",
         &shift, NULL},
        {"strict", NULL, "stop at the first bad line", NULL, &order->is_strict},
        {"follow", NULL, "go on as the file grows, and when it is rotated",
         NULL, &import.is_following},
        {"fire-alerts", NULL, "rules may ring; without it they only learn",
         NULL, &order->is_firing}};
    const struct lb_cli_usage usage = {
        .line = "import [--site S] [--format F] [--map FILE] [--shift "
                "now|DURATION] [--strict] [--follow] [--fire-alerts] FILE|-",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0]),
        .word_max = 1};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    import.cli = cli;
    import.path = words.count == 0 ? NULL : words.at[0];
    exit_code = check_usage(
        &import,
        import_format_find(format, &order->spec.format) ? format : NULL, shift);
    if (exit_code >= 0) {
        return exit_code;
    }
    watch_signals();
    import.scratch = lb_arena_new(SCRATCH_BYTES);
    if (import.scratch == NULL) {
        (void)fprintf(stderr, "linkbell import: out of memory\n");
        exit_code = LB_CLI_FAILED;
    } else {
        exit_code = run_import(&import, shift);
    }
    free_import(&import);
    return exit_code;
}
