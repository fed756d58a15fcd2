/* intake.h - what every way in shares: the settings, what an event is read
 * with, and what is counted and answered.  The loop thread's. */
#ifndef LINKBELL_INGEST_INTAKE_H
#define LINKBELL_INGEST_INTAKE_H

#include "base/client_rules.h"
#include "base/config.h"
#include "base/http_server.h"
#include "geo/geo_watch.h"
#include "ingest/batch.h"
#include "ingest/event_store.h"
#include "ingest/sender_rate.h"
#include "ingest/source.h"
#include "ingest/visitor.h"
#include "sql/auth.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct intake;

/* What it works with; all borrowed for its life. */
struct intake_parts {
    struct writer *writer;
    struct auth *auth;
    struct event_store *store;
    struct visitors *visitors;
    const struct source_table *sources;
    const struct lb_client_rules *clients;
    struct geo_watch *geo; /* NULL: no database */
    struct pool *parsers;  /* threads without a connection, for large bodies */
    struct pool *readers;
    struct catalog_holder *holder;
    struct dict *dict;
    /* Writer thread, inside a job: an event that was counted changed its class
     * from before to after. */
    enum lb_err (*reclass)(struct db *db,
                           const struct entry *before,
                           const struct entry *after,
                           struct lb_error *err);
};

/* By which setting a sender's events are bounded. */
enum intake_rate {
    INTAKE_RATE,            /* a token: limits.rate */
    INTAKE_RATE_PER_SOURCE, /* an inbound source */
    INTAKE_RATE_PER_IP      /* a client address */
};

struct intake_settings {
    struct batch_limits limits;
    size_t inflight_bytes; /* bodies in memory, all together */
    bool is_case_kept;
    bool is_contact_kept[ENTRY_CONTACT_COUNT];
    size_t text_bytes;
    int64_t rates[INTAKE_RATE_PER_IP + 1]; /* events a second; 0: any */
    int64_t dedupe_window_ms;
    int64_t double_tap_window_ms;
};

LB_MUST_CHECK enum lb_err intake_new(const struct intake_parts *parts,
                                     const struct lb_config *config,
                                     struct intake **intake_out,
                                     struct lb_error *err);
void intake_free(struct intake *intake); /* NULL is fine */
/* New settings, between requests: what is under way keeps the old ones. */
void intake_set_config(struct intake *intake, const struct lb_config *config);

const struct intake_parts *intake_parts(const struct intake *intake);
const struct intake_settings *intake_settings(const struct intake *intake);

/* Fills what does not depend on who sent the request.  catalog is borrowed for
 * the life of the context; intake_release() ends it. */
void intake_fill_context(struct intake *intake,
                         const struct catalog *catalog,
                         const struct lb_http_request *http,
                         struct event_context *context_out);
void intake_release(struct event_context *context);

/* How the body is packed; false for a coding that is not taken. */
bool intake_read_encoding(const struct lb_http_request *http,
                          enum lb_inflate_kind *kind_out);

/* For the hashes that tell senders apart. */
const struct sender_rate *intake_senders(const struct intake *intake);

/* Whether the sender may send count events more now; else the limit's hit is
 * counted and, unless http is NULL, 429 answered. */
bool intake_take_rate(struct intake *intake,
                      struct lb_http_request *http,
                      enum intake_rate limit,
                      uint64_t sender,
                      size_t count);

/* Counts what became of events that are durable. */
void intake_count(struct intake *intake,
                  struct event *const *events,
                  const bool *is_duplicate,
                  size_t count);

/* Counts an event that was not stored and whose sender won't send it again: a
 * redirect goes on, a page is left.  Its site's figures have a gap there. */
void intake_count_lost(struct intake *intake, const struct event *event);

/* 503 for an append that failed, or for a full queue (limit: the writer's
 * error, which is the limit's name); both name the remedy. */
void intake_respond_failed(struct lb_http_request *http,
                           enum lb_err rc,
                           const struct lb_error *err);
void intake_respond_full(struct lb_http_request *http,
                         const struct lb_error *limit);

#endif
