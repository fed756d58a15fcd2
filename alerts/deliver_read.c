/* deliver_read.c - reads what is due from the outbox. */
#include "alerts/deliver_read.h"

#include <stdlib.h>

#include "base/clock.h"

/* A few of each destination, so that none can hide another. */
void deliver_read_run(struct pool_job *job, struct db *db)
{
    struct deliver_read *read = (struct deliver_read *)job;
    int64_t now_ms = lb_clock_wall_ms();
    struct lb_error err;

    for (size_t i = 0; i < read->item_count && read->rc == LB_OK; i++) {
        const struct deliver_read_item *item = &read->items[i];
        size_t room = DELIVER_READ_MOST - read->count;
        struct outbox_due due = {.rows = read->rows + read->count,
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
    }
}

void deliver_read_free(struct deliver_read *read)
{
    for (size_t i = 0; i < read->count; i++) {
        free(read->rows[i].body);
    }
    free(read->items);
    free(read);
}
