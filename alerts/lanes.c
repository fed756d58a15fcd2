/* lanes.c - the lanes of all destinations. */
#include "alerts/lanes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/destination_store.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

#define PROBE_MS 30000 /* unless set */

struct lanes {
    struct lane *first; /* owned; of every destination that was asked for */
    struct lane_rules rules; /* what all share */
    struct writer *writer;
    void (*wake)(void *ctx);
    void *ctx;
    int64_t catalog_version; /* at which fingerprints were compared */
};

struct reset_job {
    struct writer_job job; /* first */
    struct lanes *lanes;
    char id[LANE_ID_BYTES];
};

struct lane *lanes_first(struct lanes *lanes)
{
    return lanes->first;
}

struct lane *lanes_get(struct lanes *lanes, const char *id)
{
    struct lane *lane = lanes->first;

    while (lane != NULL && strcmp(lane->id, id) != 0) {
        lane = lane->next;
    }
    if (lane == NULL && (lane = calloc(1, sizeof(*lane))) != NULL) {
        (void)snprintf(lane->id, sizeof(lane->id), "%s", id);
        lane->next = lanes->first;
        lanes->first = lane;
    }
    return lane;
}

struct lane_rules lanes_rules_of(const struct lanes *lanes,
                                 const struct destination *destination)
{
    struct lane_rules rules = lanes->rules;

    rules.concurrency = destination->concurrency;
    rules.spacing_us = destination->spacing_us;
    return rules;
}

bool lanes_read_rules(const struct lanes *lanes,
                      const struct catalog *catalog,
                      const char *id,
                      struct lane_rules *rules_out,
                      bool *is_ordered_out)
{
    const struct catalog_object *object =
        catalog_object_find(catalog, CATALOG_DESTINATION, id);
    struct destination destination;

    if (object == NULL || !destination_read_plain(object->body, &destination)) {
        return false;
    }
    *rules_out = lanes_rules_of(lanes, &destination);
    *is_ordered_out = destination.is_ordered;
    return destination.is_enabled;
}

/* --- states
 * ------------------------------------------------------------------------ */

static void show_state(const struct lane *lane)
{
    char labels[64];

    (void)snprintf(labels, sizeof(labels), "destination=\"%s\"", lane->id);
    lb_metrics_set(lb_metrics_get(LB_METRIC_GAUGE, "linkbell_breaker_open",
                                  "1 while a destination takes no messages.",
                                  labels),
                   lane->state == LANE_OK ? 0 : 1);
}

static void load_state(void *ctx,
                       const char *destination,
                       enum lane_state state,
                       const char *reason,
                       const uint8_t *fingerprint)
{
    struct lane *lane = lanes_get(ctx, destination);

    if (lane == NULL) {
        return;
    }
    lane->state = state;
    (void)snprintf(lane->reason, sizeof(lane->reason), "%s", reason);
    if (fingerprint != NULL) {
        memcpy(lane->fingerprint, fingerprint, sizeof(lane->fingerprint));
    }
    show_state(lane);
}

void lanes_set_state(struct lanes *lanes,
                     const char *id,
                     enum lane_state state,
                     const char *reason)
{
    struct lane *lane = lanes_get(lanes, id);

    if (lane != NULL) {
        lane_reset(lane);
        lane->state = state;
        memset(lane->fingerprint, 0, sizeof(lane->fingerprint));
        (void)snprintf(lane->reason, sizeof(lane->reason), "%s",
                       reason == NULL ? "" : reason);
        show_state(lane);
    }
}

void lanes_note(struct lane *lane,
                enum lane_change change,
                bool is_failing,
                const uint8_t fingerprint[LB_SECRET_SHA256_BYTES])
{
    if (is_failing && lane->state != LANE_DISABLED) {
        lane->state = LANE_DISABLED;
        (void)snprintf(lane->reason, sizeof(lane->reason), "no_success");
    } else if (change == LANE_SAME) {
        return;
    }
    memcpy(lane->fingerprint, fingerprint, sizeof(lane->fingerprint));
    show_state(lane);
    lb_log(lane->state == LANE_OK ? LB_LOG_INFO : LB_LOG_WARN,
           "destination_state", "destination=%s state=%s reason=%s", lane->id,
           lane_state_name(lane->state),
           lane->reason[0] == '\0' ? "none" : lane->reason);
}

/* --- taken up again
 * ------------------------------------------------------------------------ */

static enum lb_err
run_reset(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct reset_job *reset = (struct reset_job *)job;
    const struct destination_store_state state = {reset->id, LANE_OK, NULL,
                                                  NULL, lb_clock_wall_ms()};

    return destination_store_set(db, &state, err);
}

static void
done_reset(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct reset_job *reset = (struct reset_job *)job;

    (void)err;
    if (rc == LB_OK) {
        lb_log(LB_LOG_INFO, "destination_state",
               "destination=%s state=ok reason=changed", reset->id);
        lanes_set_state(reset->lanes, reset->id, LANE_OK, NULL);
        reset->lanes->wake(reset->lanes->ctx);
    }
    free(reset);
}

static void compare_fingerprint(struct lanes *lanes,
                                const struct catalog *catalog,
                                const struct lane *lane)
{
    static const uint8_t by_hand[LB_SECRET_SHA256_BYTES] = {0};
    const struct catalog_object *object =
        catalog_object_find(catalog, CATALOG_DESTINATION, lane->id);
    uint8_t fingerprint[LB_SECRET_SHA256_BYTES];
    struct destination destination;
    struct reset_job *reset;
    struct lb_error err;

    if (lane->state == LANE_OK || object == NULL ||
        memcmp(lane->fingerprint, by_hand, sizeof(by_hand)) == 0 ||
        destination_read(object->body, &destination, &err) != LB_OK) {
        return;
    }
    destination_fingerprint(&destination, fingerprint);
    if (memcmp(fingerprint, lane->fingerprint, sizeof(fingerprint)) == 0) {
        return;
    }
    reset = calloc(1, sizeof(*reset));
    if (reset == NULL) {
        return;
    }
    reset->lanes = lanes;
    reset->job.run = run_reset;
    reset->job.done = done_reset;
    (void)snprintf(reset->id, sizeof(reset->id), "%s", lane->id);
    if (writer_submit(lanes->writer, &reset->job) != LB_OK) {
        free(reset);
    }
}

void lanes_follow(struct lanes *lanes, const struct catalog *catalog)
{
    if (lanes->catalog_version == catalog_version(catalog)) {
        return;
    }
    lanes->catalog_version = catalog_version(catalog);
    for (struct lane *lane = lanes->first; lane != NULL; lane = lane->next) {
        compare_fingerprint(lanes, catalog, lane);
    }
}

void lanes_set_config(struct lanes *lanes, const struct lb_config *config)
{
    struct lane_rules *rules = &lanes->rules;

    rules->jitter = config->jitter;
    rules->failures = (int)config->breaker_failures;
    rules->probe_count = 0;
    for (size_t i = 0;
         i < config->breaker_probe.count && rules->probe_count < LANE_PROBES;
         i++) {
        if (lb_config_parse_duration(config->breaker_probe.values[i],
                                     &rules->probes_ms[rules->probe_count])) {
            rules->probe_count++;
        }
    }
    if (rules->probe_count == 0) {
        rules->probes_ms[rules->probe_count++] = PROBE_MS;
    }
    lanes->catalog_version = -1; /* secrets in files may be others now */
    for (struct lane *lane = lanes->first; lane != NULL; lane = lane->next) {
        lane->probe_at_ms = lane->state == LANE_PAUSED ? 0 : lane->probe_at_ms;
    }
}

enum lb_err lanes_new(struct writer *writer,
                      void (*wake)(void *ctx),
                      void *ctx,
                      struct lanes **lanes_out,
                      struct lb_error *err)
{
    struct lanes *lanes = calloc(1, sizeof(*lanes));
    enum lb_err rc;

    *lanes_out = NULL;
    if (lanes == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    lanes->writer = writer;
    lanes->wake = wake;
    lanes->ctx = ctx;
    lanes->catalog_version = -1;
    rc = destination_store_each(writer_db(writer), load_state, lanes, err);
    if (rc != LB_OK) {
        lanes_free(lanes);
        return rc;
    }
    *lanes_out = lanes;
    return LB_OK;
}

void lanes_free(struct lanes *lanes)
{
    struct lane *lane;

    if (lanes == NULL) {
        return;
    }
    while ((lane = lanes->first) != NULL) {
        lanes->first = lane->next;
        free(lane);
    }
    free(lanes);
}

void lanes_write_states(struct lanes *lanes,
                        const struct catalog *catalog,
                        struct lb_buf *out)
{
    lb_buf_add_char(out, '{');
    for (const struct lane *lane = lanes_first(lanes); lane != NULL;
         lane = lane->next) {
        if (lane->state != LANE_OK &&
            catalog_object_find(catalog, CATALOG_DESTINATION, lane->id) !=
                NULL) {
            lb_json_add_key(out, lane->id);
            lb_json_add_string(out, lane_state_name(lane->state));
        }
    }
    lb_buf_add_char(out, '}');
}
