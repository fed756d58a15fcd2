/* fair_queue.h - waiting work of many senders, of which none can hold up the
 * others by sending more.  Senders fall into lanes by hash; lanes take turns by
 * deficit round robin (Shreedhar and Varghese, "Efficient fair queuing using
 * deficit round-robin", 1996; lanes by hash: McKenney, "Stochastic fairness
 * queueing", 1990).  The work of one sender keeps its order.  No thread's own:
 * the caller locks. */
#ifndef LINKBELL_BASE_FAIR_QUEUE_H
#define LINKBELL_BASE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LB_FAIR_QUEUE_LANES 256

/* A member of the caller's struct, alive while it waits. */
struct lb_fair_node {
    struct lb_fair_node *next;
    uint64_t sender; /* a hash that tells senders apart; 0: the service */
    size_t cost;     /* what its turn takes, in the quantum's unit */
};

struct lb_fair_lane {
    struct lb_fair_node *first;
    struct lb_fair_node *last;
    size_t credit;
    struct lb_fair_lane *next; /* whose turn comes after it */
};

struct lb_fair_queue {
    struct lb_fair_lane lanes[LB_FAIR_QUEUE_LANES];
    struct lb_fair_lane *turn; /* the last of the ring: next has the turn */
    size_t active;             /* lanes in which something waits */
    size_t quantum;            /* cost a turn, at least 1 */
};

void lb_fair_queue_init(struct lb_fair_queue *queue, size_t quantum);
void lb_fair_queue_push(struct lb_fair_queue *queue, struct lb_fair_node *node);
/* The next to be worked on; NULL: nothing waits. */
struct lb_fair_node *lb_fair_queue_pop(struct lb_fair_queue *queue);

/* The lane that a sender falls into, 0 <= lane < LB_FAIR_QUEUE_LANES. */
size_t lb_fair_queue_lane(uint64_t sender);

/* Whether a sender that holds used of limit, where all hold total, may hold
 * more: at most four times what is left free, so that one sender never takes
 * more than four fifths and a newcomer always finds room (Choudhury and Hahne,
 * "Dynamic queue length thresholds for shared-memory packet switches", 1998).
 */
bool lb_fair_queue_has_room(size_t limit,
                            size_t total,
                            size_t used,
                            size_t more);

#endif
