/* writer_queue.c - whose turn it is to be written. */
#include "sql/writer_queue.h"

#include <string.h>

#define TURN_EVENTS 500    /* of one sender while others wait */
#define SMALL_JOBS 64      /* in one transaction */
#define SHARED_EVENTS 2000 /* close a group for which several senders wait */

void writer_queue_list_push(struct writer_list *list, struct writer_job *job)
{
    job->next = NULL;
    if (list->last == NULL) {
        list->first = job;
    } else {
        list->last->next = job;
    }
    list->last = job;
}

struct writer_job *writer_queue_list_pop(struct writer_list *list)
{
    struct writer_job *job = list->first;

    if (job != NULL) {
        list->first = job->next;
        list->last = list->first == NULL ? NULL : list->last;
        job->next = NULL;
    }
    return job;
}

void writer_queue_init(struct writer_queue *queue)
{
    memset(queue, 0, sizeof(*queue));
    lb_fair_queue_init(&queue->appends, TURN_EVENTS);
}

/* The limit that the job would pass; NULL: none. */
static const char *find_full(const struct writer_queue *queue,
                             const struct writer_limits *limits,
                             const struct writer_job *job)
{
    size_t lane = lb_fair_queue_lane(job->sender);

    if (job->event_count == 0 || queue->events == 0) {
        return NULL;
    }
    if (!lb_fair_queue_has_room(limits->queue_events, queue->events,
                                queue->lane_events[lane], job->event_count)) {
        return "queue_events";
    }
    return lb_fair_queue_has_room(limits->queue_bytes, queue->bytes,
                                  queue->lane_bytes[lane], job->bytes)
               ? NULL
               : "queue_bytes";
}

const char *writer_queue_put(struct writer_queue *queue,
                             const struct writer_limits *limits,
                             struct writer_job *job)
{
    size_t lane = lb_fair_queue_lane(job->sender);
    const char *full = find_full(queue, limits, job);

    if (full != NULL) {
        return full;
    }
    queue->events += job->event_count;
    queue->bytes += job->bytes;
    queue->lane_events[lane] += job->event_count;
    queue->lane_bytes[lane] += job->bytes;
    if (job->is_background) {
        writer_queue_list_push(&queue->background, job);
    } else if (job->is_append) {
        job->node.sender = job->sender;
        job->node.cost = job->event_count == 0 ? 1 : job->event_count;
        lb_fair_queue_push(&queue->appends, &job->node);
    } else {
        writer_queue_list_push(&queue->others, job);
    }
    return NULL;
}

/* What is appended together; a sender of much waits for the next group when
 * others wait as well. */
static struct writer_job *take_appends(struct writer_queue *queue,
                                       size_t group_events,
                                       size_t *event_count_out)
{
    size_t most = queue->appends.active > 1 && group_events > SHARED_EVENTS
                      ? SHARED_EVENTS
                      : group_events;
    struct writer_list group = {NULL, NULL};

    while (*event_count_out < most && queue->appends.active > 0) {
        struct lb_fair_node *node = lb_fair_queue_pop(&queue->appends);
        struct writer_job *job =
            (struct writer_job *)(void *)((char *)node -
                                          offsetof(struct writer_job, node));

        *event_count_out += job->event_count;
        writer_queue_list_push(&group, job);
    }
    return group.first;
}

/* The first of the others, with the small ones behind it if it is small. */
static struct writer_job *take_others(struct writer_queue *queue)
{
    struct writer_list group = {NULL, NULL};
    size_t count = 0;

    do {
        writer_queue_list_push(&group, writer_queue_list_pop(&queue->others));
    } while (++count < SMALL_JOBS && group.first->is_small &&
             queue->others.first != NULL && queue->others.first->is_small);
    return group.first;
}

struct writer_job *writer_queue_take(struct writer_queue *queue,
                                     size_t group_events,
                                     size_t *event_count_out)
{
    bool has_others = queue->others.first != NULL;
    struct writer_job *job;

    *event_count_out = 0;
    if (queue->appends.active > 0 && (!has_others || !queue->is_others_turn)) {
        queue->is_others_turn = true;
        return take_appends(queue, group_events, event_count_out);
    }
    queue->is_others_turn = false;
    job = has_others ? take_others(queue)
                     : writer_queue_list_pop(&queue->background);
    *event_count_out = job == NULL ? 0 : job->event_count;
    return job;
}

void writer_queue_release(struct writer_queue *queue,
                          const struct writer_job *job)
{
    size_t lane = lb_fair_queue_lane(job->sender);

    queue->events -= job->event_count;
    queue->bytes -= job->bytes;
    queue->lane_events[lane] -= job->event_count;
    queue->lane_bytes[lane] -= job->bytes;
}

bool writer_queue_has_live(const struct writer_queue *queue)
{
    return queue->appends.active > 0 || queue->others.first != NULL;
}

bool writer_queue_is_empty(const struct writer_queue *queue)
{
    return !writer_queue_has_live(queue) && queue->background.first == NULL;
}
