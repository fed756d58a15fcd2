/* import_file.c - reading files record by record. */
#include "ingest/import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/inflate.h"

#define READ_BYTES ((size_t)256 * 1024)
#define TEXT_BYTES (4 * IMPORT_FILE_RECORD_BYTES)

struct import_file {
    const char *path; /* borrowed */
    int fd;           /* owned; standard input's own is not closed */
    bool is_stdin;
    struct lb_inflate_reader *reader; /* owned; NULL: nothing read so far */
    bool is_packed;
    char *raw; /* owned; READ_BYTES */
    const char *raw_at;
    size_t raw_left;
    size_t raw_read; /* bytes of the file */
    struct lb_buf text;
    size_t at; /* of text, where the next record begins */
    unsigned long line;
    bool is_ended;    /* the last read found nothing */
    bool is_skipping; /* the rest of a line that is too long */
};

static enum lb_err open_path(struct import_file *file, struct lb_error *err)
{
    file->fd =
        file->is_stdin ? STDIN_FILENO : open(file->path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        return lb_err_set(err, LB_ENOENT, "%s can't be read: %s", file->path,
                          errno == ENOENT ? "there is no such file"
                                          : "is it a file, and yours to read?");
    }
    return LB_OK;
}

enum lb_err import_file_open(const char *path,
                             struct import_file **file_out,
                             struct lb_error *err)
{
    struct import_file *file = calloc(1, sizeof(*file));
    enum lb_err rc;

    *file_out = NULL;
    if (file == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    file->path = path;
    file->is_stdin = strcmp(path, "-") == 0;
    lb_buf_init(&file->text, TEXT_BYTES);
    file->raw = malloc(READ_BYTES);
    file->fd = -1;
    rc = file->raw == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                           : open_path(file, err);
    if (rc != LB_OK) {
        import_file_close(file);
        return rc;
    }
    *file_out = file;
    return LB_OK;
}

static void close_fd(struct import_file *file)
{
    if (file->fd >= 0 && !file->is_stdin) {
        (void)close(file->fd);
    }
    file->fd = -1;
}

void import_file_close(struct import_file *file)
{
    if (file != NULL) {
        close_fd(file);
        lb_inflate_reader_free(file->reader);
        lb_buf_deinit(&file->text);
        free(file->raw);
        free(file);
    }
}

/* --- bytes ----------------------------------------------------------------
 */

static enum lb_err read_raw(struct import_file *file, struct lb_error *err)
{
    ssize_t got;

    do {
        got = read(file->fd, file->raw, READ_BYTES);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return lb_err_set(err, LB_EIO, "%s can't be read on", file->path);
    }
    file->raw_at = file->raw;
    file->raw_left = (size_t)got;
    file->raw_read += (size_t)got;
    file->is_ended = got == 0;
    if (file->reader == NULL && got > 0) {
        enum lb_inflate_kind kind = lb_inflate_guess(file->raw, file->raw_left);

        file->is_packed = kind != LB_INFLATE_NONE;
        file->reader = lb_inflate_reader_new(kind);
        if (file->reader == NULL) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return LB_OK;
}

/* Appends to the text what the file holds next; is_ended when there is nothing.
 */
static enum lb_err fill(struct import_file *file, struct lb_error *err)
{
    size_t before;
    enum lb_err rc = LB_OK;

    lb_buf_consume(&file->text, file->at);
    file->at = 0;
    before = file->text.len;
    file->is_ended = false;
    while (rc == LB_OK && file->text.len == before && !file->is_ended) {
        if (file->raw_left == 0) {
            rc = read_raw(file, err);
        }
        if (rc != LB_OK || file->reader == NULL ||
            (file->is_ended && lb_inflate_reader_is_whole(file->reader))) {
            continue;
        }
        rc = lb_inflate_reader_take(file->reader, &file->raw_at,
                                    &file->raw_left, &file->text);
        if (rc != LB_OK ||
            (file->is_ended && file->text.len == before && file->is_packed)) {
            rc = lb_err_set(err, rc == LB_ENOMEM ? rc : LB_EFORMAT,
                            rc == LB_ENOMEM
                                ? "out of memory"
                                : "%s is damaged or cut short: it can't be "
                                  "unpacked to its end",
                            file->path);
        } else if (file->text.len > before) {
            file->is_ended = false; /* there may be more */
        }
    }
    return rc;
}

enum lb_err import_file_peek(struct import_file *file,
                             size_t max,
                             const char **bytes_out,
                             size_t *len_out,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    while (rc == LB_OK && file->text.len - file->at < max && !file->is_ended) {
        rc = fill(file, err);
    }
    *len_out = file->text.len - file->at;
    *len_out = *len_out > max ? max : *len_out;
    *bytes_out = lb_buf_text(&file->text) + file->at;
    return rc;
}

/* --- records --------------------------------------------------------------
 */

static unsigned long count_lines(const char *text, size_t len)
{
    unsigned long count = 0;
    const char *end = text + len;

    while (text < end &&
           (text = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void give(struct import_file *file,
                 size_t used,
                 size_t next,
                 struct import_file_record *out)
{
    const char *text = file->text.data + file->at;
    unsigned long ends = count_lines(text, next);

    out->text = text;
    out->len = used;
    out->line = file->line + 1;
    out->fault = NULL;
    file->line += ends == 0 ? 1 : ends; /* the last line may have none */
    file->at += next;
}

/* What is longer than a record, or a row whose quote is never closed: the first
 * line of it is no record, what follows is tried anew. */
static bool give_up(struct import_file *file, struct import_file_record *out)
{
    const char *text = file->text.data + file->at;
    size_t len = file->text.len - file->at;
    const char *end = memchr(text, '\n', len);

    out->fault = "the line is too long";
    out->line = ++file->line;
    file->is_skipping = end == NULL;
    file->at += end == NULL ? len : (size_t)(end - text) + 1;
    return true;
}

/* The rest of a line that was given up. */
static void skip(struct import_file *file)
{
    const char *text = lb_buf_text(&file->text) + file->at;
    size_t len = file->text.len - file->at;
    const char *end = len == 0 ? NULL : memchr(text, '\n', len);

    file->is_skipping = end == NULL;
    file->at += end == NULL ? len : (size_t)(end - text) + 1;
}

static bool has_open_quote(const char *text, size_t len)
{
    bool is_open = false;

    for (size_t i = 0; i < len; i++) {
        is_open = is_open != (text[i] == '"');
    }
    return is_open;
}

/* A record that ends in the text; at the end of the file also one that does
 * not. */
static bool take(struct import_file *file,
                 enum import_format format,
                 bool is_end,
                 struct import_file_record *out)
{
    const char *text = lb_buf_text(&file->text) + file->at;
    size_t len = file->text.len - file->at;
    size_t used = 0;
    size_t next = 0;
    bool is_whole = import_format_record(format, text, len, &used, &next);
    bool is_broken = false;

    if (len == 0) {
        return false;
    }
    if (!is_whole && is_end && import_format_is_table(format)) {
        /* A quote that is never closed spoils its own line only. */
        is_broken = has_open_quote(text, len);
        (void)import_format_record(IMPORT_NDJSON, text, len, &used, &next);
    }
    if (is_whole || is_end) {
        give(file, used, next, out);
        out->fault = is_broken ? "a quote is not closed" : NULL;
        return true;
    }
    return len > IMPORT_FILE_RECORD_BYTES && give_up(file, out);
}

enum lb_err import_file_next(struct import_file *file,
                             enum import_format format,
                             bool is_growing,
                             struct import_file_record *record_out,
                             bool *has_record_out,
                             struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    *has_record_out = false;
    while (rc == LB_OK) {
        if (file->is_skipping) {
            skip(file);
        } else {
            *has_record_out =
                take(file, format, file->is_ended && !is_growing, record_out);
        }
        if (*has_record_out) {
            break;
        }
        rc = fill(file, err);
        if (file->is_ended && (is_growing || file->text.len == file->at)) {
            break;
        }
    }
    return rc;
}

/* --- files that grow ------------------------------------------------------
 */

enum import_file_change import_file_look(const struct import_file *file)
{
    struct stat now;
    struct stat ours;

    if (file->is_stdin || fstat(file->fd, &ours) != 0) {
        return IMPORT_FILE_GROWN;
    }
    if ((size_t)ours.st_size > file->raw_read) {
        return IMPORT_FILE_GROWN;
    }
    if ((size_t)ours.st_size < file->raw_read) {
        return IMPORT_FILE_CUT;
    }
    /* Between rename and creation there is none of its name. */
    return stat(file->path, &now) == 0 &&
                   (now.st_ino != ours.st_ino || now.st_dev != ours.st_dev)
               ? IMPORT_FILE_REPLACED
               : IMPORT_FILE_SAME;
}

static void begin_anew(struct import_file *file)
{
    lb_inflate_reader_free(file->reader);
    file->reader = NULL;
    file->is_packed = false;
    file->raw_left = 0;
    file->raw_read = 0;
    lb_buf_clear(&file->text);
    file->at = 0;
    file->line = 0;
    file->is_ended = false;
    file->is_skipping = false;
}

enum lb_err import_file_restart(struct import_file *file, struct lb_error *err)
{
    close_fd(file);
    begin_anew(file);
    return open_path(file, err);
}

enum lb_err import_file_rewind(struct import_file *file, struct lb_error *err)
{
    if (lseek(file->fd, 0, SEEK_SET) != 0) {
        return lb_err_set(err, LB_EIO, "%s can't be read a second time",
                          file->path);
    }
    begin_anew(file);
    return LB_OK;
}

double import_file_share(const struct import_file *file)
{
    struct stat found;

    if (fstat(file->fd, &found) != 0 || !S_ISREG(found.st_mode) ||
        found.st_size == 0) {
        return -1;
    }
    return (double)file->raw_read / (double)found.st_size;
}

bool import_file_is_packed(const struct import_file *file)
{
    return file->is_packed;
}
