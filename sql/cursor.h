/* cursor.h - the stage that reads on from the cursor: it hands each new log
 * entry, in order and once, to every consumer (rollups, rules), and moves the
 * cursor in the same transaction as what they derived.  Normally the entries
 * are those that the group has just appended, still in memory; after a failure
 * or a restart they are read from the log. */
#ifndef LINKBELL_SQL_CURSOR_H
#define LINKBELL_SQL_CURSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "sql/entry.h"
#include "sql/writer.h"

struct catalog_holder;
struct cursor;

struct cursor_consumer {
    const char *name;
    void *ctx;
    /* Writer thread, inside the transaction.  entries are in log order and
     * borrowed for the call. */
    enum lb_err (*apply)(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err);
    void (*committed)(void *ctx); /* may be NULL */
    void (*rolled_back)(
        void *ctx); /* memory back to the last committed(); may be NULL */
};

/* Reads the cursor's place from db.  Registers itself with the writer (derive).
 */
LB_MUST_CHECK enum lb_err cursor_new(struct writer *writer,
                                     struct cursor **cursor_out,
                                     struct lb_error *err);
void cursor_free(struct cursor *cursor);
void cursor_add_consumer(struct cursor *cursor,
                         const struct cursor_consumer *consumer);

/* Writer thread, inside a job: gives the entry its log number (stored in the
 * same transaction, never used twice) and, for kinds other than ENTRY_EVENT,
 * writes its row.  entry stays valid until the transaction ends; the stage
 * derives from it. */
LB_MUST_CHECK enum lb_err cursor_append(struct cursor *cursor,
                                        struct db *db,
                                        struct entry *entry,
                                        struct lb_error *err);

/* Any thread: last derived log number and the receive time up to which answers
 * are complete (as_of): now when nothing waits. */
int64_t cursor_seq(struct cursor *cursor);
int64_t cursor_as_of_ms(struct cursor *cursor);

#endif
