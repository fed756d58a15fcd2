/* plausible_api.c - the route of Plausible's dialect. */
#include "ingest/plausible_api.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/metrics.h"
#include "ingest/arrival.h"
#include "ingest/plausible.h"
#include "sql/auth.h"

#define TOKEN "Bearer lb_"
#define NUMBER_BYTES 24
#define JSON_BYTES ((size_t)512 * 1024) /* a body with all its escapes */

/* One event on its way. */
struct plausible_request {
    struct intake *intake;
    struct lb_http_request *http;
    struct arrival *arrival; /* owned until it is submitted */
    struct plausible body;
    size_t dropped;
};

static void add_cors(struct lb_http_request *http)
{
    lb_http_respond_header(http, "Access-Control-Allow-Origin", "*");
}

static void handle_options(struct lb_http_request *http, void *ctx)
{
    (void)ctx;
    add_cors(http);
    lb_http_respond_header(http, "Access-Control-Allow-Methods", "POST");
    lb_http_respond_header(http, "Access-Control-Allow-Headers",
                           "Content-Type");
    lb_http_respond_header(http, "Access-Control-Max-Age", "86400");
    lb_http_respond(http, 204, NULL, "", 0);
}

static void handle_health(struct lb_http_request *http, void *ctx)
{
    static const char body[] = "{\"linkbell\":\"ok\"}";

    (void)ctx;
    lb_http_respond(http, 200, "application/json", body, strlen(body));
}

/* A token is checked when there is one; a page's visitor has none. */
static void check_head(struct lb_http_request *http, void *ctx)
{
    const char *authorization = lb_http_request_header(http, "Authorization");

    add_cors(http);
    lb_http_respond_header(http, "Access-Control-Expose-Headers",
                           "x-plausible-dropped");
    if (authorization != NULL &&
        strncasecmp(authorization, TOKEN, strlen(TOKEN)) == 0) {
        (void)auth_check(intake_parts(ctx)->auth, http, CATALOG_SCOPE_INGEST,
                         false);
    }
}

/* The visitor's address: with a token the one that the back end names. */
static struct lb_ip find_client(struct intake *intake,
                                struct lb_http_request *http)
{
    const struct lb_client_rules *clients = intake_parts(intake)->clients;
    struct lb_ip client = {0};

    if (auth_who_of(http) != NULL) {
        client = lb_client_rules_given(clients, http);
    }
    return client.len == 0 ? lb_client_rules_find(clients, http) : client;
}

/* Tells who asks from where they are allowed to name somebody what was made of
 * it; others send an event like any. */
static bool respond_debug(struct intake *intake, struct lb_http_request *http)
{
    const char *wish = lb_http_request_header(http, "X-Debug-Request");
    struct sockaddr_storage address;
    char text[NI_MAXHOST] = "";
    struct lb_ip client;

    if (wish == NULL || strcmp(wish, "true") != 0 ||
        (auth_who_of(http) == NULL &&
         !lb_client_rules_is_trusted(intake_parts(intake)->clients, http))) {
        return false;
    }
    client = find_client(intake, http);
    if (client.len != 0) {
        lb_ip_to(&client, &address);
        (void)getnameinfo((struct sockaddr *)&address, sizeof(address), text,
                          sizeof(text), NULL, 0, NI_NUMERICHOST);
    }
    lb_http_respond(http, 200, "text/plain", text, strlen(text));
    return true;
}

static void free_request(struct plausible_request *request)
{
    arrival_free(request->arrival);
    free(request);
}

static void respond_memory(struct lb_http_request *http)
{
    lb_http_respond_header(http, "Retry-After", "1");
    lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
}

static void respond_faults(const struct plausible_request *request)
{
    const struct event_context *context = arrival_context(request->arrival);
    const struct event_fault fault = {.code = "bad_value"};
    struct lb_buf faults;

    event_fault_count(&fault, NULL);
    for (size_t i = 0; i < request->body.site_count; i++) {
        refused_store_note(context->refused, request->body.sites[i]->number,
                           fault.code, context->received_at_ms);
    }
    lb_buf_init(&faults, JSON_BYTES);
    plausible_write_faults(&request->body, &faults);
    lb_http_respond_json(request->http, 400, &faults);
    lb_buf_deinit(&faults);
}

static void respond_stored(struct lb_http_request *http, size_t dropped)
{
    char number[NUMBER_BYTES];

    if (dropped > 0) {
        (void)snprintf(number, sizeof(number), "%zu", dropped);
        lb_http_respond_header(http, "x-plausible-dropped", number);
    }
    lb_http_respond(http, 202, "text/plain", "ok", 2);
}

static void on_stored(void *ctx, const struct arrival_result *result)
{
    struct plausible_request *request = ctx;

    if (result->rc == LB_OK) {
        respond_stored(request->http,
                       request->dropped + result->machines + result->late);
    } else {
        intake_respond_failed(request->http, result->rc, result->err);
    }
    request->arrival = NULL; /* it ends by itself */
    free_request(request);
}

/* False: the request was answered. */
static bool add_event(struct plausible_request *request, size_t index)
{
    struct arrival *arrival = request->arrival;
    struct event_fault fault = {.code = NULL};
    struct lb_buf text;
    cJSON *json;
    bool is_added;

    lb_buf_init(&text, JSON_BYTES);
    plausible_write_event(&request->body, index, &text);
    json = text.is_failed ? NULL
                          : lb_json_parse_checked(lb_buf_text(&text), text.len,
                                                  arrival_arena(arrival));
    lb_buf_deinit(&text);
    if (json == NULL) {
        respond_memory(request->http);
        return false;
    }
    is_added = arrival_add(arrival, json, &fault) &&
               (!request->body.is_engagement ||
                arrival_engage(arrival, request->body.scroll_depth,
                               request->body.attention_ms));
    if (!is_added && fault.code != NULL &&
        strcmp(fault.code, "unknown_site") == 0) {
        request->dropped++; /* the token's reach ends before it */
        is_added = true;
    } else if (!is_added) {
        respond_memory(request->http);
    }
    return is_added;
}

static bool add_events(struct plausible_request *request)
{
    struct event_context *context = arrival_context(request->arrival);
    bool is_open = true;

    context->who = auth_who_of(request->http);
    context->address = find_client(request->intake, request->http);
    context->is_length_free = true;
    context->is_passive = request->body.is_passive;
    context->is_fragment_kept = request->body.is_fragment_page;
    /* The request's own referrer is the page that the event is about. */
    context->referrer = NULL;
    if (!arrival_take_rate(request->arrival, request->http,
                           request->body.site_count)) {
        return false;
    }
    for (size_t i = 0; i < request->body.site_count && is_open; i++) {
        is_open = add_event(request, i);
    }
    return is_open;
}

static void count_unknown(size_t count)
{
    const struct event_fault fault = {.code = "unknown_site"};

    for (size_t i = 0; i < count; i++) {
        event_fault_count(&fault, NULL);
    }
}

static void submit(struct plausible_request *request)
{
    struct arrival *arrival = request->arrival;
    struct lb_error err = {LB_OK, ""};

    request->dropped += request->body.unknown_count;
    count_unknown(request->body.unknown_count);
    if (arrival_submit(arrival, on_stored, request, &err) != LB_OK) {
        request->arrival = NULL;
        intake_respond_full(request->http, &err);
        free_request(request);
    }
}

static void handle_event(struct lb_http_request *http, void *ctx)
{
    struct plausible_request *request;
    struct lb_buf *body = lb_http_request_body(http);
    enum lb_err rc;

    if (respond_debug(ctx, http)) {
        return;
    }
    request = calloc(1, sizeof(*request));
    if (request != NULL) {
        request->intake = ctx;
        request->http = http;
        request->arrival = arrival_new(ctx, http, ARRIVAL_VISITOR);
    }
    if (request == NULL || request->arrival == NULL) {
        free(request);
        respond_memory(http);
        return;
    }
    rc = plausible_read(&request->body, lb_buf_text(body), body->len,
                        intake_settings(ctx)->limits.json_depth,
                        arrival_catalog(request->arrival),
                        arrival_arena(request->arrival));
    if (rc == LB_OK && add_events(request)) {
        submit(request);
        return;
    }
    if (rc == LB_EINVAL) {
        respond_faults(request);
    } else if (rc != LB_OK) {
        respond_memory(http);
    }
    free_request(request);
}

enum lb_err plausible_api_add(struct lb_http_server *server,
                              struct intake *intake,
                              struct lb_error *err)
{
    const struct lb_http_route routes[] = {
        {"POST", "/api/event", check_head, handle_event, intake,
         PLAUSIBLE_BODY_BYTES},
        {"OPTIONS", "/api/event", NULL, handle_options, intake, 0},
        {"GET", "/api/health", NULL, handle_health, intake, 0},
    };
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}
