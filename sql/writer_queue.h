/* writer_queue.h - what waits for the writer: events to append, jobs with
 * transactions of their own, and the background's.  The writer locks. */
#ifndef LINKBELL_SQL_WRITER_QUEUE_H
#define LINKBELL_SQL_WRITER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fair_queue.h"
#include "sql/writer.h"

struct writer_list {
    struct writer_job *first;
    struct writer_job *last;
};

void writer_queue_list_push(struct writer_list *list, struct writer_job *job);
struct writer_job *
writer_queue_list_pop(struct writer_list *list); /* NULL: empty */

struct writer_queue {
    struct lb_fair_queue appends;
    struct writer_list others; /* have transactions of their own */
    struct writer_list background;
    bool is_others_turn;
    size_t events; /* that wait or are being written */
    size_t bytes;
    /* Of them, by the sender's lane: */
    size_t lane_events[LB_FAIR_QUEUE_LANES];
    size_t lane_bytes[LB_FAIR_QUEUE_LANES];
};

void writer_queue_init(struct writer_queue *queue);
/* NULL: it waits; else the name of the limit that it would pass. */
const char *writer_queue_put(struct writer_queue *queue,
                             const struct writer_limits *limits,
                             struct writer_job *job);
/* The jobs of the next group, in order, and their events; NULL: none waits. */
struct writer_job *writer_queue_take(struct writer_queue *queue,
                                     size_t group_events,
                                     size_t *event_count_out);
/* A job is over: its room is free again. */
void writer_queue_release(struct writer_queue *queue,
                          const struct writer_job *job);
/* Whether anything waits, but for the background. */
bool writer_queue_has_live(const struct writer_queue *queue);
bool writer_queue_is_empty(const struct writer_queue *queue);

#endif
