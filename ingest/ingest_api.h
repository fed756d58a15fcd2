/* ingest_api.h - POST /v1/events, and the local routes of imports. */
#ifndef LINKBELL_INGEST_INGEST_API_H
#define LINKBELL_INGEST_INGEST_API_H

#include "base/client_rules.h"
#include "base/config.h"
#include "base/http_server.h"
#include "geo/geo_watch.h"
#include "ingest/event_store.h"
#include "ingest/source.h"
#include "ingest/visitor.h"
#include "sql/auth.h"
#include "sql/pool.h"
#include "sql/writer.h"

struct ingest_api;

/* What it works with; all borrowed for its life. */
struct ingest_parts {
    struct writer *writer;
    struct auth *auth;
    struct event_store *store;
    struct visitors *visitors;
    const struct source_table *sources;
    const struct lb_client_rules *clients;
    struct geo_watch *geo; /* NULL: no database */
    struct pool *parsers;  /* threads without a connection, for large bodies */
    struct pool *readers;
};

LB_MUST_CHECK enum lb_err ingest_api_new(struct lb_http_server *server,
                                         const struct ingest_parts *parts,
                                         const struct lb_config *config,
                                         struct ingest_api **api_out,
                                         struct lb_error *err);
/* New settings, between requests: what is under way keeps the old ones. */
void ingest_api_set_config(struct ingest_api *api,
                           const struct lb_config *config);
void ingest_api_free(struct ingest_api *api); /* no request may be under way */

#endif
