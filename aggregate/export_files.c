/* export_files.c - exports as files, a file for each site and day. */
#include "aggregate/export_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/client.h"
#include "base/clock.h"
#include "base/inflate.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/zone.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define CLOSED_AFTER_MS                                                        \
    (72 * LB_MS_PER_HOUR) /* a day is closed that long after its end */
#define REVISIONS_MAX 10000
#define NAME_BYTES 4096

void export_files_path(const struct export_files_order *order,
                       const char *day,
                       struct lb_buf *path)
{
    const char *const keys[] = {"site", "from", "to", "day"};
    const char *const values[] = {order->site, day == NULL ? order->from : NULL,
                                  day == NULL ? order->to : NULL, day};

    lb_buf_printf(path, "/v1/export/%s?format=%s", order->what, order->format);
    for (int i = 0; i < 4; i++) {
        if (values[i] != NULL) {
            lb_buf_printf(path, "&%s=", keys[i]);
            lb_text_percent_encode(path, values[i]);
        }
    }
}

/* A file being written aside. */
struct sink {
    FILE *file;
    SHA256_CTX sha;
    struct lb_inflate_packer *packer;
    struct lb_buf packed;
    size_t bytes;
    size_t rows;
    bool has_failed;
};

static bool put(struct sink *sink, const char *bytes, size_t len)
{
    (void)SHA256_Update(&sink->sha, bytes, len);
    sink->bytes += len;
    if (fwrite(bytes, 1, len, sink->file) != len) {
        sink->has_failed = true;
    }
    return !sink->has_failed;
}

static bool pack(struct sink *sink, const char *bytes, size_t len, bool is_end)
{
    lb_buf_clear(&sink->packed);
    if (lb_inflate_packer_add(sink->packer, bytes, len, is_end,
                              &sink->packed) != LB_OK) {
        sink->has_failed = true;
        return false;
    }
    return put(sink, lb_buf_text(&sink->packed), sink->packed.len);
}

static bool on_body(void *ctx, const char *bytes, size_t len)
{
    struct sink *sink = ctx;

    for (size_t i = 0; i < len; i++) {
        sink->rows += bytes[i] == '\n' ? 1 : 0;
    }
    return sink->packer == NULL ? put(sink, bytes, len)
                                : pack(sink, bytes, len, false);
}

struct day_file {
    char name[300];
    char sha[65];
    char day[LB_ZONE_DAY_BYTES];
    size_t rows;
    size_t bytes;
    int revision; /* 0: open */
    bool is_closed;
};

struct job {
    struct lb_cli *cli;
    struct export_files_order order; /* of one site */
    const char *socket_path;
    const struct lb_zone *zone;
    char dir[NAME_BYTES];
    struct lb_buf entries; /* of the manifest */
    struct lb_error err;
};

static const char *ending(const struct export_files_order *order)
{
    return order->compress == NULL                ? ""
           : strcmp(order->compress, "gzip") == 0 ? ".gz"
                                                  : ".zst";
}

static struct lb_inflate_packer *
packer_of(const struct export_files_order *order)
{
    return order->compress == NULL
               ? NULL
               : lb_inflate_packer_new(strcmp(order->compress, "gzip") == 0
                                           ? LB_INFLATE_GZIP
                                           : LB_INFLATE_ZSTD);
}

static bool is_same_file(const char *path, const char *sha)
{
    unsigned char chunk[8192];
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    char hex[65];
    SHA256_CTX ctx;
    FILE *file = fopen(path, "rbe");
    size_t got;

    if (file == NULL) {
        return false;
    }
    (void)SHA256_Init(&ctx);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        (void)SHA256_Update(&ctx, chunk, got);
    }
    (void)fclose(file);
    (void)SHA256_Final(digest, &ctx);
    lb_text_to_hex(digest, sizeof(digest), hex);
    return strcmp(hex, sha) == 0;
}

/* The name under which the day's content goes: that of an equal file, or the
 * next revision.  *is_there_out: nothing is to be renamed. */
static void
choose_name(const struct job *job, struct day_file *day, bool *is_there_out)
{
    const struct export_files_order *order = &job->order;
    char path[NAME_BYTES + 320];

    *is_there_out = false;
    for (int revision = day->is_closed ? 1 : 0; revision < REVISIONS_MAX;
         revision++) {
        char mark[16] = "open";

        if (day->is_closed) {
            (void)snprintf(mark, sizeof(mark), "r%d", revision);
        }
        (void)snprintf(day->name, sizeof(day->name), "%s-%.64s-%s.%s.%s%s",
                       order->what, order->site, day->day, mark, order->format,
                       ending(order));
        (void)snprintf(path, sizeof(path), "%s/%s", job->dir, day->name);
        day->revision = revision;
        if (is_same_file(path, day->sha)) {
            *is_there_out = true;
            return;
        }
        if (!day->is_closed || access(path, F_OK) != 0) {
            return;
        }
    }
}

static bool sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) {
        (void)close(fd);
    }
    return is_synced;
}

static bool close_synced(FILE *file)
{
    bool is_synced = fflush(file) == 0 && fsync(fileno(file)) == 0;

    return fclose(file) == 0 && is_synced;
}

static void add_entry(struct job *job, const struct day_file *day)
{
    struct lb_buf *out = &job->entries;

    lb_json_add_comma(out);
    lb_buf_add_text(out, "{\"file\":");
    lb_json_add_string(out, day->rows == 0 ? NULL : day->name);
    lb_buf_printf(out, ",\"day\":\"%s\",\"revision\":", day->day);
    if (day->is_closed) {
        lb_buf_printf(out, "%d", day->revision);
    } else {
        lb_buf_add_text(out, "null");
    }
    lb_buf_printf(out, ",\"closed\":%s,\"rows\":%zu,\"bytes\":%zu,\"sha256\":",
                  day->is_closed ? "true" : "false", day->rows, day->bytes);
    lb_json_add_string(out, day->rows == 0 ? NULL : day->sha);
    lb_buf_add_text(out, ",\"created\":");
    lb_json_add_time(out, lb_clock_wall_ms());
    lb_buf_add_char(out, '}');
}

/* Fetches the day into file; the sink tells rows, bytes and digest. */
static enum lb_err fetch(struct job *job, const char *day, struct sink *sink)
{
    struct lb_client_request request = {
        .method = "GET", .on_body = on_body, .ctx = sink};
    struct lb_buf answer;
    struct lb_buf path;
    int status = 0;
    enum lb_err rc;

    lb_buf_init(&path, 8192);
    lb_buf_init(&answer, ANSWER_BYTES);
    export_files_path(&job->order, day, &path);
    request.path = lb_buf_text(&path);
    rc =
        lb_client_send(job->socket_path, &request, &status, &answer, &job->err);
    if (rc == LB_OK && status != 200) {
        (void)lb_cli_fail_answer(job->cli, status, &answer);
        rc = lb_err_set(&job->err, LB_EIO,
                        "the service refused the export of %s", day);
    }
    if (rc == LB_OK && sink->packer != NULL && !pack(sink, "", 0, true)) {
        rc = lb_err_set(&job->err, LB_EIO, "packing failed");
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    return rc;
}

static enum lb_err write_day(struct job *job, int64_t number)
{
    struct day_file day = {.rows = 0};
    struct sink sink = {.rows = 0};
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    char aside[NAME_BYTES + 64];
    char path[NAME_BYTES + 320];
    bool is_there = false;
    enum lb_err rc;

    lb_zone_format_day(number, day.day);
    day.is_closed =
        lb_clock_wall_ms() >=
        lb_zone_day_start_ms(job->zone, number + 1) + CLOSED_AFTER_MS;
    (void)snprintf(aside, sizeof(aside), "%s/.%s-%s.%ld.tmp", job->dir,
                   job->order.what, day.day, (long)getpid());
    sink.file = fopen(aside, "wbe");
    if (sink.file == NULL) {
        return lb_err_set(&job->err, LB_EIO, "%s can't be written", aside);
    }
    lb_buf_init(&sink.packed, ANSWER_BYTES);
    (void)SHA256_Init(&sink.sha);
    sink.packer = packer_of(&job->order);
    rc = fetch(job, day.day, &sink);
    if (!close_synced(sink.file) || sink.has_failed) {
        rc = lb_err_set(&job->err, LB_EIO,
                        "%s can't be written whole; is the disk full?", aside);
    }
    (void)SHA256_Final(digest, &sink.sha);
    lb_text_to_hex(digest, sizeof(digest), day.sha);
    day.rows = sink.rows -
               (sink.rows > 0 && strcmp(job->order.format, "csv") == 0 ? 1 : 0);
    day.bytes = day.rows == 0 ? 0 : sink.bytes;
    if (rc == LB_OK && day.rows > 0) {
        choose_name(job, &day, &is_there);
        (void)snprintf(path, sizeof(path), "%s/%s", job->dir, day.name);
        if (!is_there && rename(aside, path) != 0) {
            rc = lb_err_set(&job->err, LB_EIO, "%s can't be put in its place",
                            path);
        }
    }
    if (rc != LB_OK || day.rows == 0 || is_there) {
        (void)unlink(aside);
    }
    if (rc == LB_OK) {
        add_entry(job, &day);
    }
    lb_inflate_packer_free(sink.packer);
    lb_buf_deinit(&sink.packed);
    return rc;
}

static bool is_same_text(const cJSON *a, const cJSON *b, const char *key)
{
    const char *x = lb_json_text(a, key);
    const char *y = lb_json_text(b, key);

    return (x == NULL && y == NULL) ||
           (x != NULL && y != NULL && strcmp(x, y) == 0);
}

/* Whether an entry made now stands for an earlier one: the same file, or the
 * same day without rows. */
static const cJSON *find_entry(const cJSON *now, const cJSON *earlier)
{
    const cJSON *entry;

    cJSON_ArrayForEach (entry, now) {
        if (is_same_text(entry, earlier, "file") &&
            is_same_text(entry, earlier, "day")) {
            return entry;
        }
    }
    return NULL;
}

static cJSON *read_manifest(const char *path)
{
    char chunk[8192];
    struct lb_buf text;
    FILE *file = fopen(path, "rbe");
    cJSON *json;
    size_t got;

    if (file == NULL) {
        return NULL;
    }
    lb_buf_init(&text, ANSWER_BYTES);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        lb_buf_add(&text, chunk, got);
    }
    (void)fclose(file);
    json = cJSON_Parse(lb_buf_text(&text));
    lb_buf_deinit(&text);
    return json;
}

/* The entries of earlier exports, then those made now; a file that was left
 * alone keeps its entry. */
static void
add_entries(const struct job *job, const char *path, struct lb_buf *out)
{
    cJSON *manifest = read_manifest(path);
    const cJSON *earlier = cJSON_GetObjectItemCaseSensitive(manifest, "files");
    struct lb_buf text;
    const cJSON *entry;
    cJSON *now;

    lb_buf_init(&text, ANSWER_BYTES);
    lb_buf_printf(&text, "[%s]", lb_buf_text(&job->entries));
    now = cJSON_Parse(lb_buf_text(&text));
    lb_buf_deinit(&text);
    cJSON_ArrayForEach (entry, earlier) {
        const cJSON *same = find_entry(now, entry);

        if (same == NULL) {
            lb_json_add_comma(out);
            lb_json_add_item(out, entry);
        }
    }
    cJSON_ArrayForEach (entry, now) {
        const cJSON *same = find_entry(earlier, entry);
        bool is_left_alone =
            same != NULL && is_same_text(same, entry, "sha256");

        lb_json_add_comma(out);
        lb_json_add_item(out, is_left_alone ? same : entry);
    }
    cJSON_Delete(now);
    cJSON_Delete(manifest);
}

static enum lb_err write_manifest(struct job *job)
{
    char aside[NAME_BYTES + 64];
    char path[NAME_BYTES + 64];
    struct lb_buf text;
    FILE *file;
    bool is_written;

    (void)snprintf(aside, sizeof(aside), "%s/.manifest.%ld.tmp", job->dir,
                   (long)getpid());
    (void)snprintf(path, sizeof(path), "%s/manifest.json", job->dir);
    lb_buf_init(&text, ANSWER_BYTES);
    lb_buf_add_text(&text, "{\"site\":");
    lb_json_add_string(&text, job->order.site);
    lb_buf_add_text(&text, ",\"files\":[");
    add_entries(job, path, &text);
    lb_buf_add_text(&text, "]}\n");
    file = fopen(aside, "wbe");
    is_written = file != NULL &&
                 fwrite(lb_buf_text(&text), 1, text.len, file) == text.len;
    is_written = file != NULL && close_synced(file) && is_written;
    is_written = is_written && rename(aside, path) == 0 && sync_dir(job->dir);
    lb_buf_deinit(&text);
    return is_written
               ? LB_OK
               : lb_err_set(&job->err, LB_EIO, "%s can't be written", path);
}

/* First and last day of the order in the site's zone; without bounds, of the
 * data. */
static enum lb_err find_days(struct job *job,
                             const char *data_from,
                             int64_t *first_out,
                             int64_t *last_out)
{
    const struct export_files_order *order = &job->order;
    int64_t today = lb_zone_local_day(job->zone, lb_clock_wall_ms());

    *first_out = today;
    *last_out = today;
    if (order->is_yesterday) {
        *first_out = today - 1;
        *last_out = today - 1;
        return LB_OK;
    }
    if (data_from != NULL) {
        (void)lb_zone_parse_day(data_from, first_out);
    }
    if ((order->from != NULL && !lb_zone_parse_day(order->from, first_out)) ||
        (order->to != NULL && !lb_zone_parse_day(order->to, last_out)) ||
        *first_out > *last_out) {
        return lb_err_set(
            &job->err, LB_EINVAL,
            "--from and --to must be days such as 2026-11-22, in order");
    }
    return LB_OK;
}

static enum lb_err write_site(struct job *job, const char *data_from)
{
    int64_t first = 0;
    int64_t last = 0;
    enum lb_err rc = find_days(job, data_from, &first, &last);

    if (rc == LB_OK &&
        ((mkdir(job->order.out, S_IRWXU) != 0 && errno != EEXIST) ||
         snprintf(job->dir, sizeof(job->dir), "%.3900s/%.64s", job->order.out,
                  job->order.site) < 0 ||
         (mkdir(job->dir, S_IRWXU) != 0 && errno != EEXIST))) {
        rc = lb_err_set(&job->err, LB_EIO, "%.120s can't be made",
                        job->order.out);
    }
    for (int64_t day = first; day <= last && rc == LB_OK; day++) {
        rc = write_day(job, day);
        lb_cli_progress(job->cli, "days", (size_t)(day - first + 1),
                        (double)(day - first + 1) / (double)(last - first + 1));
    }
    lb_cli_progress_end(job->cli);
    if (rc == LB_OK) {
        rc = write_manifest(job);
    }
    return rc;
}

/* Asks for the sites, their zones and their first days. */
static cJSON *ask_sites(struct lb_cli *cli, const char *site)
{
    struct lb_client_request request = {.method = "GET"};
    struct lb_buf path;
    struct lb_buf answer;
    struct lb_error err;
    int status = 0;
    cJSON *json = NULL;

    lb_buf_init(&path, 4096);
    lb_buf_init(&answer, ANSWER_BYTES);
    lb_buf_printf(&path, "/v1/stats?metrics=%s",
                  site == NULL ? "visitors" : "views");
    if (site != NULL) {
        lb_buf_add_text(&path, "&site=");
        lb_text_percent_encode(&path, site);
    } else {
        lb_buf_add_text(&path, "&by=site&limit=10000");
    }
    request.path = lb_buf_text(&path);
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        (void)lb_cli_fail(cli, &err);
    } else if (status != 200) {
        (void)lb_cli_fail_answer(cli, status, &answer);
    } else {
        json = cJSON_Parse(lb_buf_text(&answer));
    }
    lb_buf_deinit(&path);
    lb_buf_deinit(&answer);
    return json;
}

static int export_site(struct lb_cli *cli,
                       const struct export_files_order *order,
                       const char *site)
{
    struct job job = {.cli = cli, .order = *order};
    cJSON *about = ask_sites(cli, site);
    const char *zone = lb_json_text(about, "tz");
    int exit_code = LB_CLI_FAILED;
    char day[LB_ZONE_DAY_BYTES];

    if (about == NULL || zone == NULL ||
        lb_zone_find(zone, &job.zone, &job.err) != LB_OK) {
        cJSON_Delete(about);
        return exit_code;
    }
    job.order.site = site;
    job.socket_path = cli->socket_path(cli, &job.err);
    lb_buf_init(&job.entries, ANSWER_BYTES);
    if (order->out == NULL) {
        struct sink sink = {.file = stdout};

        lb_zone_format_day(lb_zone_local_day(job.zone, lb_clock_wall_ms()) - 1,
                           day);
        lb_buf_init(&sink.packed, ANSWER_BYTES);
        (void)SHA256_Init(&sink.sha);
        sink.packer = packer_of(order);
        exit_code = fetch(&job, day, &sink) == LB_OK && fflush(stdout) == 0
                        ? LB_CLI_OK
                        : lb_cli_fail(cli, &job.err);
        lb_inflate_packer_free(sink.packer);
        lb_buf_deinit(&sink.packed);
    } else {
        exit_code =
            write_site(&job, lb_json_text(cJSON_GetObjectItemCaseSensitive(
                                              about, "meta"),
                                          "data_from")) == LB_OK
                ? LB_CLI_OK
                : lb_cli_fail(cli, &job.err);
    }
    lb_buf_deinit(&job.entries);
    cJSON_Delete(about);
    return exit_code;
}

int export_files_write(struct lb_cli *cli,
                       const struct export_files_order *order)
{
    int exit_code = LB_CLI_OK;
    cJSON *all;
    const cJSON *row;

    if (order->site != NULL) {
        return export_site(cli, order, order->site);
    }
    all = ask_sites(cli, NULL);
    if (all == NULL) {
        return LB_CLI_FAILED;
    }
    cJSON_ArrayForEach (row, cJSON_GetObjectItemCaseSensitive(all, "rows")) {
        const char *site = lb_json_text(row, "site");

        if (site != NULL && export_site(cli, order, site) != LB_CLI_OK) {
            exit_code = LB_CLI_FAILED;
        }
    }
    cJSON_Delete(all);
    return exit_code;
}
