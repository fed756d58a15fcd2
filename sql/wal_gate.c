/* wal_gate.c - keeps readers that overlap from keeping the write-ahead log. */
#include "sql/wal_gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct wal_gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    /* By lock; monotonic. */
    int64_t closed_at_ms;
    int64_t closed_until_ms; /* 0: open */
    int64_t rest_until_ms;   /* it stays open up to then */
};

static bool init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    bool is_made;

    if (pthread_condattr_init(&monotonic) != 0) {
        return false;
    }
    is_made = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(cond, &monotonic) == 0;
    (void)pthread_condattr_destroy(&monotonic);
    return is_made;
}

struct wal_gate *wal_gate_new(void)
{
    struct wal_gate *gate = calloc(1, sizeof(*gate));

    if (gate == NULL || pthread_mutex_init(&gate->lock, NULL) != 0) {
        free(gate);
        return NULL;
    }
    if (!init_cond(&gate->opened)) {
        (void)pthread_mutex_destroy(&gate->lock);
        free(gate);
        return NULL;
    }
    return gate;
}

void wal_gate_free(struct wal_gate *gate)
{
    if (gate != NULL) {
        (void)pthread_cond_destroy(&gate->opened);
        (void)pthread_mutex_destroy(&gate->lock);
        free(gate);
    }
}

/* Under the lock. */
static void open_gate(struct wal_gate *gate, int64_t now_ms)
{
    if (gate->closed_until_ms != 0) {
        gate->rest_until_ms = now_ms + (now_ms - gate->closed_at_ms);
        gate->closed_until_ms = 0;
        (void)pthread_cond_broadcast(&gate->opened);
    }
}

void wal_gate_close(struct wal_gate *gate, int64_t most_ms)
{
    int64_t now_ms = lb_clock_mono_ms();

    (void)pthread_mutex_lock(&gate->lock);
    if (gate->closed_until_ms == 0 && now_ms >= gate->rest_until_ms) {
        gate->closed_at_ms = now_ms;
        gate->closed_until_ms = now_ms + most_ms;
    } else if (gate->closed_until_ms != 0 && now_ms >= gate->closed_until_ms) {
        open_gate(gate, now_ms);
    }
    (void)pthread_mutex_unlock(&gate->lock);
}

void wal_gate_open(struct wal_gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    open_gate(gate, lb_clock_mono_ms());
    (void)pthread_mutex_unlock(&gate->lock);
}

void wal_gate_pass(struct wal_gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    while (gate->closed_until_ms != 0) {
        const struct timespec until = {
            (time_t)(gate->closed_until_ms / LB_MS_PER_S),
            (long)(gate->closed_until_ms % LB_MS_PER_S * 1000000)};

        if (lb_clock_mono_ms() >= gate->closed_until_ms) {
            open_gate(gate, lb_clock_mono_ms());
            break;
        }
        (void)pthread_cond_timedwait(&gate->opened, &gate->lock, &until);
    }
    (void)pthread_mutex_unlock(&gate->lock);
}
