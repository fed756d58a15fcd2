/* csv.c - a row at the end of a CSV file (RFC 4180).  Where the file ends is
 * recorded before the row is written, so that after a kill what stands behind
 * that place is known to be the row, whole or torn, and is written again. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define PATH_BYTES 2048
#define ROW_BYTES ((size_t)16 * 1024 * 1024) /* of a batch of a stream */
#define STREAM_ROWS 10000
#define STREAM_BYTES ((size_t)8 * 1024 * 1024)
#define CELL_UNITS 8000
#define FILES_MAX 99 /* of one name, as columns change */
#define STEP_WRITE 1
#define BOM "\xef\xbb\xbf"

static const char *const keys[] = {"path", "columns", "bom", "allow_outside",
                                   NULL};
static const char *const needs[] = {"path", "columns", NULL};

static bool is_inside(const char *path)
{
    return path[0] != '/' && strcmp(path, "..") != 0 &&
           strncmp(path, "../", 3) != 0 && strstr(path, "/../") == NULL &&
           (strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

static void check(const struct lb_yaml *destination,
                  struct lb_config_faults *faults)
{
    const struct lb_yaml *path = lb_yaml_find(destination, "path");
    const struct lb_yaml *columns = lb_yaml_find(destination, "columns");
    const struct lb_yaml *outside = lb_yaml_find(destination, "allow_outside");
    bool may_leave = outside != NULL && outside->kind == LB_YAML_SCALAR &&
                     strcmp(outside->text, "true") == 0;

    if (path != NULL &&
        (path->kind != LB_YAML_SCALAR || path->text[0] == '\0' ||
         strlen(path->text) > PATH_BYTES / 4 ||
         (!may_leave && !is_inside(path->text)))) {
        lb_config_fault(faults, path->line, path->column, "path",
                        "must be a file below the data directory, or say "
                        "allow_outside: true");
    }
    if (columns != NULL &&
        (columns->kind != LB_YAML_LIST || columns->child == NULL)) {
        lb_config_fault(faults, columns->line, columns->column, "columns",
                        "must be a list, such as [timestamp, summary, id]");
    }
}

/* --- a row
 * ------------------------------------------------------------------------ */

static void add_cell(struct lb_buf *out, const cJSON *value)
{
    struct lb_buf text;

    if (value == NULL) {
        return;
    }
    if (!cJSON_IsString(value)) { /* a number is no formula */
        lb_json_add_item(out, value);
        return;
    }
    lb_buf_init(&text, ROW_BYTES);
    facts_add(&text, value->valuestring, CELL_UNITS, NULL);
    lb_text_add_csv(out, lb_buf_text(&text));
    lb_buf_deinit(&text);
}

/* What stands at a path of a stream's row; paths of alerts lead there too:
 * "event.contact.email" to contact.email, "timestamp" to ts. */
static const cJSON *find_in_row(const cJSON *row, const char *path)
{
    char word[64];

    path = strncmp(path, "event.", 6) == 0 ? path + 6 : path;
    path = strcmp(path, "timestamp") == 0 ? "ts" : path;
    while (row != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        (void)snprintf(word, sizeof(word), "%.*s", (int)len, path);
        row = cJSON_GetObjectItemCaseSensitive(row, word);
        path += len + (path[len] == '.' ? 1 : 0);
    }
    return cJSON_IsString(row) || cJSON_IsNumber(row) || cJSON_IsBool(row)
               ? row
               : NULL;
}

/* The row of a message or of an event; with neither the header. */
static void add_row(struct lb_buf *out,
                    const struct destination *destination,
                    const struct facts *facts,
                    const cJSON *row)
{
    const cJSON *column;
    bool is_first = true;

    cJSON_ArrayForEach (column, cJSON_GetObjectItemCaseSensitive(
                                    destination->body, "columns")) {
        const char *path = cJSON_IsString(column) ? column->valuestring : "";

        if (!is_first) {
            lb_buf_add_char(out, ',');
        }
        is_first = false;
        if (facts != NULL) {
            add_cell(out, facts_find(facts, path));
        } else if (row != NULL) {
            add_cell(out, find_in_row(row, path));
        } else {
            lb_text_add_csv(out, path);
        }
    }
    lb_buf_add_text(out, "\r\n");
}

static void add_header(struct lb_buf *out,
                       const struct destination *destination)
{
    if (lb_json_is_true(destination->body, "bom")) {
        lb_buf_add_text(out, BOM);
    }
    add_row(out, destination, NULL, NULL);
}

/* All that is appended at once. */
static void add_all(struct lb_buf *out,
                    const struct destination *destination,
                    const struct destination_message *message,
                    const struct facts *facts)
{
    if (facts != NULL) {
        add_row(out, destination, facts, NULL);
        return;
    }
    for (size_t i = 0; i < message->rows->count; i++) {
        cJSON *row = cJSON_Parse(message->rows->lines[i]);

        add_row(out, destination, NULL, row);
        cJSON_Delete(row);
    }
}

/* --- its file
 * ------------------------------------------------------------------------ */

/* The path with %Y, %m and %d of the day at the message's site when it was
 * made, so that each attempt has the same; relative ones are below the data
 * directory. */
static void make_path(const struct destination *destination,
                      const struct destination_message *message,
                      struct lb_buf *out)
{
    int64_t day = message->zone == NULL
                      ? message->made_ms / LB_MS_PER_DAY
                      : lb_zone_local_day(message->zone, message->made_ms);
    const char *at = destination->url;
    int64_t year;
    unsigned month;
    unsigned of_month;

    lb_clock_civil_from_days(day, &year, &month, &of_month);
    if (at[0] != '/') {
        lb_buf_printf(out, "%s/", message->data_dir);
    }
    for (; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 'Y') {
            lb_buf_printf(out, "%04d", (int)year);
        } else if (at[0] == '%' && (at[1] == 'm' || at[1] == 'd')) {
            lb_buf_printf(out, "%02u", at[1] == 'm' ? month : of_month);
        } else {
            lb_buf_add_char(out, *at);
            continue;
        }
        at++;
    }
}

/* "a/b.csv" to "a/b-2.csv". */
static void number_path(const char *path, int number, struct lb_buf *out)
{
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash == NULL ? path : slash, '.');
    size_t len = dot == NULL ? strlen(path) : (size_t)(dot - path);

    lb_buf_clear(out);
    lb_buf_add(out, path, len);
    if (number > 1) {
        lb_buf_printf(out, "-%d", number);
    }
    lb_buf_add_text(out, path + len);
}

static void make_folders(const struct lb_buf *path)
{
    char text[PATH_BYTES];

    (void)snprintf(text, sizeof(text), "%s", lb_buf_text(path));
    for (char *at = strchr(text + 1, '/'); at != NULL;
         at = strchr(at + 1, '/')) {
        *at = '\0';
        (void)mkdir(text, 0750); /* opening says what is wrong */
        *at = '/';
    }
}

/* Whether the file begins with these bytes, or with nothing. */
static bool begins_with(int fd, const struct lb_buf *header)
{
    char *text = malloc(header->len + 1);
    ssize_t len = text == NULL ? -1 : pread(fd, text, header->len, 0);
    bool is_it =
        len == 0 || (len == (ssize_t)header->len &&
                     memcmp(text, lb_buf_text(header), header->len) == 0);

    free(text);
    return is_it;
}

/* Opens the file of that name whose columns are these; -1: err says why not. */
static int open_file(const struct destination *destination,
                     const struct destination_message *message,
                     const struct lb_buf *header,
                     struct lb_error *err)
{
    struct lb_buf plain;
    struct lb_buf path;
    int fd = -1;

    lb_buf_init(&plain, PATH_BYTES);
    lb_buf_init(&path, PATH_BYTES);
    make_path(destination, message, &plain);
    make_folders(&plain);
    for (int number = 1; fd < 0 && number <= FILES_MAX; number++) {
        number_path(lb_buf_text(&plain), number, &path);
        fd = open(lb_buf_text(&path),
                  O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
        if (fd < 0) {
            (void)lb_err_set(err, LB_EIO, "%.100s can't be opened: error %d",
                             lb_buf_text(&path), errno);
            break;
        }
        if (!begins_with(fd, header)) {
            (void)close(fd);
            fd = -1;
            (void)lb_err_set(err, LB_EEXIST,
                             "%.100s has other columns, and so have others",
                             lb_buf_text(&path));
        }
    }
    lb_buf_deinit(&plain);
    lb_buf_deinit(&path);
    return fd;
}

/* Whether what stands from that place on begins the row, or is begun by it. */
static bool is_ours(int fd, int64_t at, int64_t size, const struct lb_buf *row)
{
    size_t len =
        (size_t)(size - at) < row->len ? (size_t)(size - at) : row->len;
    char *text = malloc(len + 1);
    bool is_it = text != NULL && pread(fd, text, len, at) == (ssize_t)len &&
                 memcmp(text, lb_buf_text(row), len) == 0;

    free(text);
    return is_it;
}

/* One write of the whole row at the end of the file, then to the disk; what
 * stands of it from an attempt before goes first, or is enough. */
static enum lb_err
append(int fd, int64_t recorded, const struct lb_buf *row, struct lb_error *err)
{
    struct stat info;
    bool is_begun;

    if (fstat(fd, &info) != 0) {
        return lb_err_set(err, LB_EIO, "the file can't be read: error %d",
                          errno);
    }
    is_begun =
        info.st_size > recorded && is_ours(fd, recorded, info.st_size, row);
    if (is_begun && info.st_size - recorded >= (int64_t)row->len) {
        return fdatasync(fd) == 0 ? LB_OK /* and others have come since */
                                  : lb_err_set(err, LB_EIO,
                                               "the file can't be written: "
                                               "error %d",
                                               errno);
    }
    if (is_begun && ftruncate(fd, recorded) != 0) {
        return lb_err_set(err, LB_EIO, "the file can't be cut: error %d",
                          errno);
    }
    if (write(fd, lb_buf_text(row), row->len) != (ssize_t)row->len ||
        fdatasync(fd) != 0) {
        return lb_err_set(err, errno == ENOSPC ? LB_EFULL : LB_EIO,
                          "the file can't be written: error %d", errno);
    }
    return LB_OK;
}

/* "inode:size" of the file as it stood before the row. */
static void note_place(const struct stat *info,
                       struct destination_verdict *verdict)
{
    (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id),
                   "%" PRIu64 ":%" PRId64, (uint64_t)info->st_ino,
                   (int64_t)info->st_size);
    verdict->outcome = DESTINATION_NEXT;
    verdict->next_step = STEP_WRITE;
}

/* The recorded size; that of now where none was, or of another file. */
static int64_t read_place(const char *remote_id, const struct stat *info)
{
    const char *colon = strchr(remote_id, ':');

    return colon == NULL ||
                   strtoull(remote_id, NULL, 10) != (uint64_t)info->st_ino
               ? (int64_t)info->st_size
               : strtoll(colon + 1, NULL, 10);
}

static void write_row(const struct destination *destination,
                      const struct destination_message *message,
                      const struct facts *facts,
                      struct destination_verdict *verdict,
                      struct lb_error *err)
{
    struct lb_buf header;
    struct lb_buf row;
    struct stat info;
    int64_t place;
    int fd;

    lb_buf_init(&header, ROW_BYTES);
    lb_buf_init(&row, ROW_BYTES);
    add_header(&header, destination);
    fd = open_file(destination, message, &header, err);
    if (fd >= 0 && fstat(fd, &info) != 0) {
        (void)lb_err_set(err, LB_EIO, "the file can't be read: error %d",
                         errno);
    } else if (fd >= 0 && message->remote_id[0] == '\0') {
        note_place(&info, verdict);
    } else if (fd >= 0) {
        place = read_place(message->remote_id, &info);
        if (place == 0) {
            lb_buf_add_text(&row, lb_buf_text(&header));
        }
        add_all(&row, destination, message, facts);
        if (place == 0 && info.st_size > 0 &&
            !is_ours(fd, 0, info.st_size, &row)) {
            lb_buf_consume(&row, header.len); /* somebody else began it */
            place = info.st_size;
        }
        if (row.is_failed) {
            (void)lb_err_set(err, LB_ENOMEM, "out of memory");
        } else if (append(fd, place, &row, err) == LB_OK) {
            verdict->outcome = DESTINATION_SUCCESS;
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    lb_buf_deinit(&header);
    lb_buf_deinit(&row);
}

static void csv_write(const struct destination *destination,
                      const struct destination_message *message,
                      struct destination_verdict *verdict,
                      struct lb_error *err)
{
    struct facts facts;

    if (message->rows != NULL) {
        write_row(destination, message, NULL, verdict, err);
        return;
    }
    if (facts_read(destination, message, &facts, err) != LB_OK) {
        verdict->outcome = DESTINATION_PERMANENT;
        return;
    }
    write_row(destination, message, &facts, verdict, err);
    facts_free(&facts);
}

const struct destination_type csv_type = {.name = "csv",
                                          .place = DESTINATION_FILE,
                                          .keys = keys,
                                          .needs = needs,
                                          .is_serial = true,
                                          .stream_rows = STREAM_ROWS,
                                          .stream_bytes = STREAM_BYTES,
                                          .check = check,
                                          .write = csv_write};
