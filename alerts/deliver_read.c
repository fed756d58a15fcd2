/* deliver_read.c - reads what is due from the outbox. */
#include "alerts/deliver_read.h"

#include <stdlib.h>

#include "alerts/stream.h"
#include "base/clock.h"
#include "base/log.h"

#define AGAIN_MS 1000 /* when a batch's rows can't be read */

/* A batch of a stream gets its rows.  One that can't be read stays behind, and
 * delays no other destination. */
static void add_rows(struct deliver_read *read, struct db *db, size_t first)
{
    size_t kept = first;

    for (size_t i = first; i < read->count; i++) {
        struct outbox_delivery *row = &read->rows[i];
        const struct catalog_object *object = catalog_object_find(
            read->catalog, CATALOG_DESTINATION, row->destination);
        struct lb_error err = {LB_OK, ""};

        if (object != NULL && row->body != NULL && stream_is_batch(row->body) &&
            stream_add_rows(db, read->catalog, object->body, &row->body,
                            &err) != LB_OK) {
            int64_t again_ms = lb_clock_wall_ms() + AGAIN_MS;

            lb_log_limited(LB_LOG_ERROR, "stream_not_read",
                           "destination=%s message=%s text=\"%s\"",
                           row->destination, row->message, err.text);
            read->next_due_at_ms = again_ms < read->next_due_at_ms
                                       ? again_ms
                                       : read->next_due_at_ms;
            free(row->body);
        } else {
            read->rows[kept++] = *row;
        }
    }
    read->count = kept;
}

/* A few of each destination, so that none can hide another. */
void deliver_read_run(struct pool_job *job, struct db *db)
{
    struct deliver_read *read = (struct deliver_read *)job;
    int64_t now_ms = lb_clock_wall_ms();
    struct lb_error err;

    for (size_t i = 0; i < read->item_count && read->rc == LB_OK; i++) {
        const struct deliver_read_item *item = &read->items[i];
        size_t first = read->count;
        size_t room = DELIVER_READ_MOST - first;
        struct outbox_due due = {.rows = read->rows + first,
                                 .max = item->max < room ? item->max : room,
                                 .next_due_at_ms = INT64_MAX};

        if (room == 0) {
            read->next_due_at_ms = now_ms;
            break;
        }
        read->rc = outbox_read_due(db, item->lane->id, item->is_ordered, now_ms,
                                   &due, &err);
        read->count += due.count;
        read->next_due_at_ms = due.next_due_at_ms < read->next_due_at_ms
                                   ? due.next_due_at_ms
                                   : read->next_due_at_ms;
        add_rows(read, db, first);
    }
}

void deliver_read_free(struct deliver_read *read)
{
    for (size_t i = 0; i < read->count; i++) {
        free(read->rows[i].body);
    }
    catalog_unref(read->catalog);
    free(read->items);
    free(read);
}
