/* arrival.c - the events of a request that is not POST /v1/events. */
#include "ingest/arrival.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/traffic.h"

#define ARENA_BYTES ((size_t)8 * 1024 * 1024)

struct arrival {
    struct writer_job job; /* first: jobs are cast back */
    struct intake *intake;
    struct catalog *catalog; /* owned reference */
    struct event_context context;
    struct lb_arena *arena; /* owned */
    struct event **events;  /* owned array; in arena */
    bool *is_duplicate;     /* owned */
    size_t count;
    size_t cap;
    void (*done)(void *ctx, const struct arrival_result *result);
    void *ctx;
};

/* What the visitor's own request tells. */
static void fill_visitor(struct arrival *arrival, struct lb_http_request *http)
{
    const char *agent = lb_http_request_header(http, "User-Agent");
    const struct traffic_fields fields = {
        lb_http_request_header(http, "Cookie"),
        lb_http_request_header(http, "Sec-Purpose"),
        lb_http_request_header(http, "Purpose"),
        lb_http_request_header(http, "X-Purpose"),
        lb_http_request_header(http, "X-moz")};

    arrival->context.address =
        lb_client_rules_find(intake_parts(arrival->intake)->clients, http);
    arrival->context.agent = agent == NULL ? "" : agent;
    arrival->context.signs =
        traffic_read_signs(&fields, lb_http_request_is_head(http));
}

struct arrival *arrival_new(struct intake *intake,
                            struct lb_http_request *http,
                            enum arrival_sender sender)
{
    struct arrival *arrival = calloc(1, sizeof(*arrival));

    if (arrival == NULL) {
        return NULL;
    }
    arrival->intake = intake;
    arrival->arena = lb_arena_new(ARENA_BYTES);
    if (arrival->arena == NULL) {
        free(arrival);
        return NULL;
    }
    arrival->catalog = catalog_current(intake_parts(intake)->holder);
    intake_fill_context(intake, arrival->catalog, http, &arrival->context);
    if (sender == ARRIVAL_VISITOR) {
        fill_visitor(arrival, http);
    }
    return arrival;
}

void arrival_free(struct arrival *arrival)
{
    if (arrival == NULL) {
        return;
    }
    intake_release(&arrival->context);
    catalog_unref(arrival->catalog);
    lb_arena_free(arrival->arena);
    free(arrival->events);
    free(arrival->is_duplicate);
    free(arrival);
}

const struct catalog *arrival_catalog(const struct arrival *arrival)
{
    return arrival->catalog;
}

struct lb_arena *arrival_arena(struct arrival *arrival)
{
    return arrival->arena;
}

struct event_context *arrival_context(struct arrival *arrival)
{
    return &arrival->context;
}

bool arrival_take_rate(struct arrival *arrival,
                       struct lb_http_request *http,
                       size_t count)
{
    return intake_take_rate(
        arrival->intake, http, INTAKE_RATE_PER_IP,
        sender_rate_of_client(intake_senders(arrival->intake),
                              &arrival->context.address),
        count);
}

/* Whose turn its events take: the token's, or else the client's. */
static uint64_t sender_of(const struct arrival *arrival)
{
    const struct sender_rate *senders = intake_senders(arrival->intake);
    const struct auth_who *who = arrival->context.who;

    return who != NULL && who->token != NULL
               ? sender_rate_of_token(senders, who->token->id)
               : sender_rate_of_client(senders, &arrival->context.address);
}

static bool grow(struct arrival *arrival)
{
    size_t cap = arrival->cap == 0 ? 4 : arrival->cap * 2;
    struct event **events =
        realloc(arrival->events, cap * sizeof(struct event *));

    if (events == NULL) {
        return false;
    }
    arrival->events = events;
    arrival->cap = cap;
    return true;
}

bool arrival_add(struct arrival *arrival,
                 const cJSON *json,
                 struct event_fault *fault_out)
{
    struct event *event = lb_arena_calloc(arrival->arena, sizeof(*event));

    fault_out->field = NULL;
    if (arrival->count == ARRIVAL_EVENTS) {
        *fault_out = (struct event_fault){"too_many_events", NULL, 0,
                                          "one request makes 1,000 events at "
                                          "most"};
        return false;
    }
    if (event == NULL || (arrival->count == arrival->cap && !grow(arrival))) {
        *fault_out = (struct event_fault){"internal", NULL, 0, "out of memory"};
        return false;
    }
    if (!event_read(&arrival->context, json, arrival->arena, event,
                    fault_out)) {
        if (fault_out->site != 0) {
            refused_store_note(arrival->context.refused, fault_out->site,
                               fault_out->code,
                               arrival->context.received_at_ms);
        }
        event_fault_count(fault_out, event->site == NULL
                                         ? NULL
                                         : entry_type_name(event->entry.type));
        return false;
    }
    if (!event_keep(event, arrival->arena)) {
        *fault_out = (struct event_fault){"too_large", NULL, 0,
                                          "the events of one request are too "
                                          "large"};
        return false;
    }
    arrival->events[arrival->count++] = event;
    return true;
}

bool arrival_engage(struct arrival *arrival,
                    int scroll_depth,
                    int64_t attention_ms)
{
    return event_engage(arrival->events[arrival->count - 1], scroll_depth,
                        attention_ms, arrival->arena);
}

size_t arrival_count(const struct arrival *arrival)
{
    return arrival->count;
}

const struct event *arrival_event(const struct arrival *arrival, size_t index)
{
    return arrival->events[index];
}

/* --- the writer's part ---------------------------------------------------- */

static enum lb_err
run_append(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct arrival *arrival = (struct arrival *)job;
    const struct event_batch batch = {.events = arrival->events,
                                      .is_duplicate = arrival->is_duplicate,
                                      .count = arrival->count};

    return event_store_append(intake_parts(arrival->intake)->store, db, &batch,
                              err);
}

/* A back end sends again what it was refused; a browser does not. */
static void count_lost(const struct arrival *arrival)
{
    for (size_t i = 0; i < arrival->count && arrival->context.who == NULL;
         i++) {
        intake_count_lost(arrival->intake, arrival->events[i]);
    }
}

void arrival_lose(struct arrival *arrival)
{
    count_lost(arrival);
    arrival_free(arrival);
}

static void
finish(struct arrival *arrival, enum lb_err rc, const struct lb_error *err)
{
    struct arrival_result result = {.rc = rc, .err = err};

    if (rc == LB_OK) {
        intake_count(arrival->intake, arrival->events, arrival->is_duplicate,
                     arrival->count);
    } else {
        count_lost(arrival);
    }
    for (size_t i = 0; i < arrival->count && rc == LB_OK; i++) {
        const struct event *event = arrival->events[i];

        result.duplicates += arrival->is_duplicate[i] ? 1 : 0;
        result.late += event->is_dropped ? 1 : 0;
        result.machines +=
            event->entry.traffic != ENTRY_HUMAN && event->engagement == NULL
                ? 1
                : 0;
    }
    arrival->done(arrival->ctx, &result);
    arrival_free(arrival);
}

static void
done_append(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    finish((struct arrival *)job, rc, err);
}

enum lb_err arrival_submit(struct arrival *arrival,
                           void (*done)(void *ctx,
                                        const struct arrival_result *result),
                           void *ctx,
                           struct lb_error *err)
{
    static const struct lb_error none = {LB_OK, ""};
    enum lb_err rc;

    arrival->done = done;
    arrival->ctx = ctx;
    if (arrival->count == 0) {
        finish(arrival, LB_OK, &none);
        return LB_OK;
    }
    arrival->is_duplicate = calloc(arrival->count, sizeof(bool));
    arrival->job.run = run_append;
    arrival->job.done = done_append;
    arrival->job.event_count = arrival->count;
    arrival->job.bytes = lb_arena_bytes(arrival->arena);
    arrival->job.sender = sender_of(arrival);
    arrival->job.is_append = true;
    rc = arrival->is_duplicate == NULL
             ? lb_err_set(&arrival->job.err, LB_ELIMIT, "queue_bytes")
             : writer_submit(intake_parts(arrival->intake)->writer,
                             &arrival->job);
    if (rc != LB_OK) {
        count_lost(arrival);
        *err = arrival->job.err;
        arrival_free(arrival);
    }
    return rc;
}
