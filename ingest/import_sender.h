/* import_sender.h - sends the records of an import to the service, several
 * requests at a time, and adds up what became of them. */
#ifndef LINKBELL_INGEST_IMPORT_SENDER_H
#define LINKBELL_INGEST_IMPORT_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cli.h"
#include "base/err.h"
#include "ingest/import_order.h"

struct import_sender;

struct import_sums {
    size_t accepted;
    size_t duplicates;
    size_t rejected;
    size_t ignored;
    int64_t first_ms; /* times of the events; 0: there was none */
    int64_t last_ms;
};

/* Begins a run under that name: the service reads the ids of its log.  path is
 * for messages of bad records; all are borrowed. */
LB_MUST_CHECK enum lb_err import_sender_new(struct lb_cli *cli,
                                            const char *path,
                                            const char *session,
                                            struct import_order *order,
                                            struct import_sender **sender_out,
                                            struct lb_error *err);
void import_sender_free(struct import_sender *sender); /* NULL is fine */

struct import_sender_record {
    const char *text; /* without its line end */
    size_t len;
    unsigned long line;
    size_t weight; /* events that it stands for */
};

/* Adds a record; sends when enough have come. */
LB_MUST_CHECK enum lb_err
import_sender_add(struct import_sender *sender,
                  const struct import_sender_record *record,
                  struct lb_error *err);
/* A record that is none: told, and counted as refused. */
LB_MUST_CHECK enum lb_err import_sender_refuse(struct import_sender *sender,
                                               unsigned long line,
                                               const char *message,
                                               struct lb_error *err);

/* Sends what has come and waits until all is durable; is_last ends the import.
 */
LB_MUST_CHECK enum lb_err import_sender_flush(struct import_sender *sender,
                                              bool is_last,
                                              struct lb_error *err);

/* Another file begins: after a flush, what stood in the one before does not
 * count for it. */
void import_sender_forget(struct import_sender *sender);

/* Whether a bad record ended the import under --strict. */
bool import_sender_is_stopped(const struct import_sender *sender);
const struct import_sums *
import_sender_sums(const struct import_sender *sender);

#endif
