/* wal_gate.c - keeps readers that overlap from keeping the write-ahead log. */
#include "sql/wal_gate.h"

#include <stdlib.h>

#include <uv.h>

#include "base/clock.h"

struct wal_gate {
    uv_mutex_t lock;
    uv_cond_t opened;
    /* By lock; monotonic. */
    int64_t closed_at_ms;
    int64_t closed_until_ms; /* 0: open */
    int64_t rest_until_ms;   /* it stays open up to then */
};

struct wal_gate *wal_gate_new(void)
{
    struct wal_gate *gate = calloc(1, sizeof(*gate));

    if (gate == NULL || uv_mutex_init(&gate->lock) != 0) {
        free(gate);
        return NULL;
    }
    if (uv_cond_init(&gate->opened) != 0) {
        uv_mutex_destroy(&gate->lock);
        free(gate);
        return NULL;
    }
    return gate;
}

void wal_gate_free(struct wal_gate *gate)
{
    if (gate != NULL) {
        uv_cond_destroy(&gate->opened);
        uv_mutex_destroy(&gate->lock);
        free(gate);
    }
}

/* Under the lock. */
static void open_gate(struct wal_gate *gate, int64_t now_ms)
{
    if (gate->closed_until_ms != 0) {
        gate->rest_until_ms = now_ms + (now_ms - gate->closed_at_ms);
        gate->closed_until_ms = 0;
        uv_cond_broadcast(&gate->opened);
    }
}

void wal_gate_close(struct wal_gate *gate, int64_t most_ms)
{
    int64_t now_ms = lb_clock_mono_ms();

    uv_mutex_lock(&gate->lock);
    if (gate->closed_until_ms == 0 && now_ms >= gate->rest_until_ms) {
        gate->closed_at_ms = now_ms;
        gate->closed_until_ms = now_ms + most_ms;
    } else if (gate->closed_until_ms != 0 && now_ms >= gate->closed_until_ms) {
        open_gate(gate, now_ms);
    }
    uv_mutex_unlock(&gate->lock);
}

void wal_gate_open(struct wal_gate *gate)
{
    uv_mutex_lock(&gate->lock);
    open_gate(gate, lb_clock_mono_ms());
    uv_mutex_unlock(&gate->lock);
}

void wal_gate_pass(struct wal_gate *gate)
{
    uv_mutex_lock(&gate->lock);
    while (gate->closed_until_ms != 0) {
        int64_t left_ms = gate->closed_until_ms - lb_clock_mono_ms();

        if (left_ms <= 0) {
            open_gate(gate, lb_clock_mono_ms());
            break;
        }
        (void)uv_cond_timedwait(&gate->opened, &gate->lock,
                                (uint64_t)left_ms * 1000000);
    }
    uv_mutex_unlock(&gate->lock);
}
