/* object_change.h - one object made, replaced or removed, through the writer.
 */
#ifndef LINKBELL_SQL_OBJECT_CHANGE_H
#define LINKBELL_SQL_OBJECT_CHANGE_H

#include "sql/object_json.h"
#include "sql/writer.h"

struct object_change {
    /* Set by the caller; alive until done was called. */
    const struct apply_target *target; /* borrowed */
    enum object_kind kind;
    char id[OBJECT_ID_BYTES];
    cJSON *body; /* owned; checked; NULL for a removal */
    bool is_new; /* must not be there yet, else it must */
    bool is_removal;
    /* On the loop thread, when what changed works. */
    void (*done)(void *ctx);
    void *ctx;

    /* The verdict: LB_ENOTFOUND, LB_EEXIST, LB_EREADONLY the file manages it,
     * SQLite's. */
    enum lb_err rc;
    struct lb_error err;

    /* The change's own. */
    struct writer_job job;
    struct entry entry; /* tells the log */
};

/* False: too much waits; done is not called. */
bool object_change_submit(struct object_change *change, struct writer *writer);
void object_change_deinit(struct object_change *change);

#endif
