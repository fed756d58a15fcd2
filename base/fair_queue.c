/* fair_queue.c - lanes that take turns. */
#include "base/fair_queue.h"

#include <string.h>

#define SHARE 4 /* times what is free, of one sender */

void lb_fair_queue_init(struct lb_fair_queue *queue, size_t quantum)
{
    memset(queue, 0, sizeof(*queue));
    queue->quantum = quantum;
}

size_t lb_fair_queue_lane(uint64_t sender)
{
    /* Fibonacci hashing (Knuth, volume 3, 6.4). */
    return (size_t)(sender * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

void lb_fair_queue_push(struct lb_fair_queue *queue, struct lb_fair_node *node)
{
    struct lb_fair_lane *lane = &queue->lanes[lb_fair_queue_lane(node->sender)];

    node->next = NULL;
    if (lane->first != NULL) {
        lane->last->next = node;
        lane->last = node;
        return;
    }
    lane->first = node;
    lane->last = node;
    lane->credit = queue->quantum;
    lane->next = queue->turn == NULL ? lane : queue->turn->next;
    if (queue->turn != NULL) {
        queue->turn->next = lane;
    }
    queue->turn = lane; /* the last of the ring */
    queue->active++;
}

static struct lb_fair_node *take_first(struct lb_fair_queue *queue,
                                       struct lb_fair_lane *lane)
{
    struct lb_fair_node *node = lane->first;

    lane->first = node->next;
    node->next = NULL;
    if (lane->first == NULL) {
        lane->last = NULL;
        lane->credit = 0;
        queue->turn->next = lane->next;
        queue->turn = queue->turn == lane ? NULL : queue->turn;
        queue->active--;
    }
    return node;
}

struct lb_fair_node *lb_fair_queue_pop(struct lb_fair_queue *queue)
{
    while (queue->turn != NULL) {
        struct lb_fair_lane *lane = queue->turn->next;
        size_t cost = lane->first->cost;

        if (queue->active == 1 || lane->credit >= cost) {
            lane->credit -= lane->credit < cost ? lane->credit : cost;
            return take_first(queue, lane);
        }
        lane->credit += queue->quantum; /* for its next turn */
        queue->turn = lane;
    }
    return NULL;
}

bool lb_fair_queue_has_room(size_t limit,
                            size_t total,
                            size_t used,
                            size_t more)
{
    return total + more <= limit && used + more <= SHARE * (limit - total);
}
