/* import_file.h - the records of a file or of standard input, unpacked from
 * gzip or zstd, with their line numbers; and of a log that grows and is
 * rotated. */
#ifndef LINKBELL_INGEST_IMPORT_FILE_H
#define LINKBELL_INGEST_IMPORT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "ingest/import_format.h"

#define IMPORT_FILE_RECORD_BYTES                                               \
    ((size_t)1024 * 1024) /* a longer record is none */

struct import_file;

/* path "-" is standard input.  LB_ENOENT, LB_EIO, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err import_file_open(const char *path,
                                           struct import_file **file_out,
                                           struct lb_error *err);
void import_file_close(struct import_file *file); /* NULL is fine */

/* The first bytes, at most max, without reading on. */
LB_MUST_CHECK enum lb_err import_file_peek(struct import_file *file,
                                           size_t max,
                                           const char **bytes_out,
                                           size_t *len_out,
                                           struct lb_error *err);

struct import_file_record {
    const char *text; /* good until the next call; not set with a fault */
    size_t len;       /* without its line end; 0: an empty line */
    unsigned long line;
    const char *fault; /* why it is no record, static; NULL: it is one */
};

/* The next record; *has_record_out false: at the end, for now.  A part of a
 * line at the end is a record unless is_growing.  LB_EFORMAT: the file can't be
 * unpacked; LB_EIO. */
LB_MUST_CHECK enum lb_err
import_file_next(struct import_file *file,
                 enum import_format format,
                 bool is_growing,
                 struct import_file_record *record_out,
                 bool *has_record_out,
                 struct lb_error *err);

/* What became of a file that is followed, at whose end we are. */
enum import_file_change {
    IMPORT_FILE_SAME,
    IMPORT_FILE_GROWN,
    /* The file begins anew after import_file_restart(). */
    IMPORT_FILE_CUT,     /* to nothing, or to less than was read */
    IMPORT_FILE_REPLACED /* by another of its name; this one may still grow */
};
enum import_file_change import_file_look(const struct import_file *file);
LB_MUST_CHECK enum lb_err import_file_restart(struct import_file *file,
                                              struct lb_error *err);

/* Begins again; LB_EIO for what can't, as standard input. */
LB_MUST_CHECK enum lb_err import_file_rewind(struct import_file *file,
                                             struct lb_error *err);

/* How much of the file is read, 0 to 1; below 0: unknown. */
double import_file_share(const struct import_file *file);
bool import_file_is_packed(const struct import_file *file);

#endif
