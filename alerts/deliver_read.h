/* deliver_read.h - reads what is due from the outbox, a few of each
 * destination, with the rows of those that are batches of a stream. */
#ifndef LINKBELL_ALERTS_DELIVER_READ_H
#define LINKBELL_ALERTS_DELIVER_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alerts/lane.h"
#include "alerts/outbox_store.h"
#include "base/err.h"
#include "sql/pool.h"

#define DELIVER_READ_MOST 512 /* at once */

struct deliver_read_item {
    struct lane *lane; /* borrowed */
    size_t max;
    bool is_ordered;
};

struct deliver_read {
    struct pool_job job; /* first */
    void *owner;
    struct deliver_read_item *items; /* owned */
    size_t item_count;
    struct outbox_delivery rows[DELIVER_READ_MOST];
    size_t count;
    int64_t chosen_at_ms; /* wall; when the items were */
    int64_t next_due_at_ms;
    enum lb_err rc;
};

/* The job's run: fills rows. */
void deliver_read_run(struct pool_job *job, struct db *db);
void deliver_read_free(struct deliver_read *read);

#endif
