/* destinations_api.c - POST /v1/destinations/{id}/test, enable and disable. */
#include "alerts/destinations_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_store.h"
#include "alerts/destination_store.h"
#include "alerts/message.h"
#include "alerts/outbox_store.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/text.h"

#define ANSWER_BYTES ((size_t)4 * 1024 * 1024)
#define BODY_BYTES 4096
#define BODY_DEPTH 4
#define BY_HAND "by_hand"
/* example.com is nobody's (RFC 2606). */
#define SAMPLE_LEAD                                                            \
    "{\"type\":\"lead\",\"name\":\"linkbell-test\",\"contact\":{\"email\":"    \
    "\"linkbell-test@example.com\",\"name\":\"Linkbell Test\"},\"props\":{}}"
#define SAMPLE_WINDOW_MS (15 * LB_MS_PER_MIN)

struct destinations_api {
    struct auth *auth;
    struct writer *writer;
    const struct lb_config *config;
    struct deliver *deliver; /* NULL: nobody sends */
};

/* One request on its way. */
struct work {
    struct writer_job write; /* first */
    struct destinations_api *api;
    struct lb_http_request *http;
    const struct catalog_object *object; /* the request's */
    enum lane_state state;               /* to be set */
    bool is_discarded;
    struct lb_buf answer;
    /* Of a test message. */
    char message[OUTBOX_NAME_BYTES];
    char delivery[ALERT_STORE_DELIVERY_BYTES];
    char site[OUTBOX_NAME_BYTES];
    struct lb_buf body;
    int64_t now_ms;
    enum lb_err rc;
    struct lb_error err;
};

static void free_work(struct work *work)
{
    lb_buf_deinit(&work->answer);
    lb_buf_deinit(&work->body);
    free(work);
}

static struct work *work_of(struct writer_job *job)
{
    return (struct work *)job; /* the first member */
}

static void fail(struct work *work, enum lb_err rc, const struct lb_error *err)
{
    lb_http_respond_error(work->http, 503,
                          rc == LB_EFULL ? "disk_full" : "not_ready", err->text,
                          NULL);
    free_work(work);
}

/* NULL: it was answered. */
static struct work *make_work(struct destinations_api *api,
                              struct lb_http_request *http)
{
    const struct catalog_object *object =
        catalog_object_find(auth_who_of(http)->catalog, CATALOG_DESTINATION,
                            lb_http_request_param(http, "id"));
    struct work *work;

    if (object == NULL) {
        lb_http_respond_error(http, 404, "not_found",
                              "There is no such destination.", NULL);
        return NULL;
    }
    work = calloc(1, sizeof(*work));
    if (work == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return NULL;
    }
    work->api = api;
    work->http = http;
    work->object = object;
    work->now_ms = lb_clock_wall_ms();
    lb_buf_init(&work->answer, ANSWER_BYTES);
    lb_buf_init(&work->body, MESSAGE_BYTES);
    return work;
}

static void submit(struct work *work)
{
    if (writer_submit(work->api->writer, &work->write) != LB_OK) {
        lb_http_respond_error(work->http, 503, "overloaded",
                              "Too much waits to be stored.", NULL);
        free_work(work);
    }
}

/* --- out of use and into it
 * ------------------------------------------------------------------------ */

static enum lb_err
run_set(struct writer_job *job, struct db *db, struct lb_error *err)
{
    static const uint8_t no_fingerprint[LB_SECRET_SHA256_BYTES];
    struct work *work = work_of(job);
    const struct destination_store_state state = {
        work->object->id, work->state, BY_HAND, no_fingerprint, work->now_ms};
    enum lb_err rc = LB_OK;

    if (work->is_discarded) {
        rc = destination_store_discard(db, work->object->id, work->now_ms, err);
    }
    rc = rc == LB_OK ? destination_store_set(db, &state, err) : rc;
    lb_buf_clear(&work->answer);
    return rc == LB_OK
               ? destination_store_show(db, work->object, &work->answer, err)
               : rc;
}

static void
done_set(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc != LB_OK) {
        fail(work, rc, err);
        return;
    }
    if (work->api->deliver != NULL) {
        deliver_set_state(work->api->deliver, work->object->id, work->state,
                          work->state == LANE_OK ? NULL : BY_HAND);
    }
    lb_http_respond_json(work->http, 200, &work->answer);
    free_work(work);
}

/* {"discard":true} or nothing; false: it was answered. */
static bool read_discard(struct lb_http_request *http, bool *is_discarded_out)
{
    struct lb_buf *body = lb_http_request_body(http);
    struct lb_json_fault fault;
    cJSON *json = NULL;
    const cJSON *item;
    bool is_well = true;

    if (body->len > 0) {
        is_well = lb_json_parse(lb_buf_text(body), body->len, BODY_DEPTH, NULL,
                                &json, &fault) == LB_OK &&
                  cJSON_IsObject(json);
    }
    item = cJSON_GetObjectItemCaseSensitive(json, "discard");
    *is_discarded_out = cJSON_IsTrue(item);
    is_well = is_well && (item == NULL || cJSON_IsBool(item));
    cJSON_Delete(json);
    if (!is_well) {
        lb_http_respond_error(http, 400, "bad_json",
                              "The body is an object with discard, true or "
                              "false, or empty.",
                              NULL);
    }
    return is_well;
}

static void
set_state(struct lb_http_request *http, void *ctx, enum lane_state state)
{
    struct destinations_api *api = ctx;
    bool is_discarded = false;
    struct work *work;

    if (state == LANE_OK && !read_discard(http, &is_discarded)) {
        return;
    }
    work = make_work(api, http);
    if (work == NULL) {
        return;
    }
    if (state == LANE_OK && cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(
                                work->object->body, "enabled"))) {
        lb_http_respond_error(http, 409, "managed_by_file",
                              "enabled: false stands in the configuration.",
                              "Remove it there and apply the file.");
        free_work(work);
        return;
    }
    work->state = state;
    work->is_discarded = is_discarded;
    work->write.run = run_set;
    work->write.done = done_set;
    submit(work);
}

static void handle_enable(struct lb_http_request *http, void *ctx)
{
    set_state(http, ctx, LANE_OK);
}

static void handle_disable(struct lb_http_request *http, void *ctx)
{
    set_state(http, ctx, LANE_DISABLED);
}

/* --- a test message
 * ------------------------------------------------------------------------ */

static const char *error_words(const char *code)
{
    static const struct {
        const char *code;
        const char *words;
    } rows[] = {{"blocked_address",
                 "The address is not allowed; name its network in "
                 "delivery.allow_addresses."},
                {"dns_failed", "The host's name leads to no address."},
                {"connect_refused", "Nobody takes connections there."},
                {"timeout", "No answer came in time."},
                {"reset", "The connection was cut."},
                {"tls_invalid", "The certificate is not to be trusted."},
                {"redirect", "It redirects; set the final URL."},
                {"body_too_large", "The answer is too long."},
                {"bad_response", "The answer is not HTTP."},
                {"auth", "It refuses the token or URL."},
                {"rate_limited", "It takes no more for now."},
                {"filtered", "The transform leaves nothing of the sample."},
                {"transform_failed", "The transform fails on the sample."}};

    for (size_t i = 0; code != NULL && i < sizeof(rows) / sizeof(rows[0]);
         i++) {
        if (strcmp(rows[i].code, code) == 0) {
            return rows[i].words;
        }
    }
    return "It does not take the message.";
}

static void add_error(struct lb_buf *out,
                      const char *code,
                      const char *words,
                      const char *excerpt)
{
    struct lb_buf message;

    lb_buf_init(&message, BODY_BYTES);
    lb_buf_add_text(&message, words);
    if (excerpt != NULL) {
        lb_buf_printf(&message, " It said: %s", excerpt);
    }
    lb_buf_add_text(out, "{\"code\":");
    lb_json_add_string(out, code);
    lb_json_add_key(out, "message");
    lb_json_add_string(out, lb_buf_text(&message));
    lb_buf_add_char(out, '}');
    lb_buf_deinit(&message);
}

static void on_tried(void *ctx, const struct attempt *attempt)
{
    struct work *work = ctx;
    const struct outbox_attempt *record = &attempt->record;
    bool is_well = attempt->verdict.outcome == DESTINATION_SUCCESS;
    struct lb_buf *out = &work->answer;

    lb_buf_add_text(out, "{\"delivery\":");
    lb_json_add_string(out, work->delivery);
    lb_buf_printf(out,
                  ",\"delivered\":%s,\"status\":", is_well ? "true" : "false");
    if (record->status == 0) {
        lb_buf_add_text(out, "null");
    } else {
        lb_buf_add_int(out, record->status);
    }
    lb_json_add_key(out, "error");
    if (is_well) {
        lb_buf_add_text(out, "null");
    } else {
        add_error(out, record->error, error_words(record->error),
                  record->excerpt);
    }
    lb_json_add_key(out, "warning");
    lb_json_add_string(out, is_well && attempt->verdict.note[0] != '\0'
                                ? attempt->verdict.note
                                : NULL);
    lb_buf_printf(out, ",\"ms\":%" PRId64 "}", record->ms);
    lb_http_respond_json(work->http, 200, out);
    free_work(work);
}

static enum lb_err
run_put(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct work *work = work_of(job);
    const struct outbox_new row = {work->message,
                                   "test",
                                   "test",
                                   work->site,
                                   lb_buf_text(&work->body),
                                   work->object->id,
                                   work->delivery,
                                   work->now_ms};

    return outbox_put_sending(db, &row, err);
}

static void
done_put(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);
    struct outbox_delivery delivery = {
        .created_at_ms = work->now_ms, .queued_at_ms = work->now_ms, .part = 1};
    struct lb_error failure = {LB_OK, ""};

    if (rc != LB_OK) {
        fail(work, rc, err);
        return;
    }
    (void)snprintf(delivery.id, sizeof(delivery.id), "%s", work->delivery);
    (void)snprintf(delivery.message, sizeof(delivery.message), "%s",
                   work->message);
    (void)snprintf(delivery.destination, sizeof(delivery.destination), "%s",
                   work->object->id);
    delivery.body = lb_buf_take(&work->body);
    rc = deliver_try(work->api->deliver, &delivery, on_tried, work, &failure);
    free(delivery.body);
    if (rc != LB_OK) {
        fail(work, rc, &failure);
    }
}

static void add_times(struct lb_buf *out, const struct work *work)
{
    int64_t to_ms = work->now_ms - work->now_ms % SAMPLE_WINDOW_MS;

    lb_buf_add_text(out, ",\"window\":{\"from\":");
    lb_json_add_time(out, to_ms - SAMPLE_WINDOW_MS);
    lb_buf_add_text(out, ",\"to\":");
    lb_json_add_time(out, to_ms);
    lb_buf_add_text(out, "},\"contributors\":[{\"dimension\":\"utm_source\","
                         "\"value\":\"newsletter\",\"count\":11}],\"coverage\":"
                         "\"complete\"");
}

static bool is_about_a_person(const struct work *work)
{
    const struct destination_type *type =
        destination_type_find(lb_json_text(work->object->body, "type"));

    return type != NULL && type->is_of_people;
}

/* A full sample of what an alert carries. */
static void write_sample(struct work *work)
{
    char base[LB_CONFIG_TEXT_BYTES];
    struct lb_buf data;

    lb_config_base_url(work->api->config, base);
    lb_buf_init(&data, MESSAGE_BYTES);
    lb_buf_printf(&data,
                  "{\"alert\":\"%s\",\"rule\":\"test\",\"kind\":\"spike\","
                  "\"severity\":\"info\",\"site\":",
                  work->message);
    lb_json_add_plain_string(&data, work->site);
    lb_buf_add_text(&data, ",\"group\":{\"link\":\"book-call\"},\"metric\":"
                           "\"leads\",\"value\":14,\"expected\":2.1,"
                           "\"probability\":3.1e-7");
    add_times(&data, work);
    lb_buf_printf(&data,
                  ",\"summary\":\"This is a test of the destination %s: "
                  "nothing has happened\",\"stats_url\":\"%s/v1/stats?site=",
                  work->object->id, base);
    lb_text_percent_encode(&data, work->site);
    lb_buf_printf(&data, "\",\"dashboard_url\":\"%s/?site=", base);
    lb_text_percent_encode(&data, work->site);
    lb_buf_printf(&data, "\",\"event\":%s,\"destination\":\"%s\"}",
                  is_about_a_person(work) ? SAMPLE_LEAD : "null",
                  work->object->id);
    message_body("test", work->now_ms, lb_buf_text(&data), &work->body);
    lb_buf_deinit(&data);
}

/* A destination whose secret is missing, for instance. */
static bool is_usable(struct work *work)
{
    struct destination destination;
    struct lb_error err = {LB_OK, ""};

    if (destination_read(work->object->body, &destination, &err) == LB_OK) {
        return true;
    }
    lb_buf_add_text(&work->answer, "{\"delivery\":null,\"delivered\":false,"
                                   "\"status\":null,\"error\":");
    add_error(&work->answer, "unusable", err.text, NULL);
    lb_buf_add_text(&work->answer, ",\"warning\":null,\"ms\":0}");
    lb_http_respond_json(work->http, 200, &work->answer);
    free_work(work);
    return false;
}

static void handle_test(struct lb_http_request *http, void *ctx)
{
    struct destinations_api *api = ctx;
    const struct catalog *catalog = auth_who_of(http)->catalog;
    struct work *work;

    if (api->deliver == NULL) {
        lb_http_respond_error(http, 503, "not_served",
                              "Only the running service sends messages.",
                              "Start it with linkbell serve.");
        return;
    }
    work = make_work(api, http);
    if (work == NULL || !is_usable(work)) {
        return;
    }
    if (!lb_secret_id("test_", work->message, sizeof(work->message))) {
        fail(work, LB_EINTERNAL,
             &(struct lb_error){LB_EINTERNAL, "no random bytes to be had"});
        return;
    }
    (void)snprintf(work->site, sizeof(work->site), "%.90s",
                   catalog_site_count(catalog) == 0
                       ? "example.bio"
                       : catalog_site_at(catalog, 0)->id);
    alert_store_delivery_id(work->message, work->object->id, work->delivery);
    write_sample(work);
    work->write.run = run_put;
    work->write.done = done_put;
    submit(work);
}

/* --- routes
 * ------------------------------------------------------------------------ */

static void check(struct lb_http_request *http, void *ctx)
{
    struct destinations_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err destinations_api_new(struct lb_http_server *server,
                                 const struct destinations_parts *parts,
                                 struct destinations_api **api_out,
                                 struct lb_error *err)
{
    struct destinations_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/destinations/{id}/test", check, handle_test, api,
         BODY_BYTES},
        {"POST", "/v1/destinations/{id}/enable", check, handle_enable, api,
         BODY_BYTES},
        {"POST", "/v1/destinations/{id}/disable", check, handle_disable, api,
         BODY_BYTES},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = parts->auth;
    api->writer = parts->writer;
    api->config = parts->config;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void destinations_api_set_deliver(struct destinations_api *api,
                                  struct deliver *deliver)
{
    api->deliver = deliver;
}

void destinations_api_free(struct destinations_api *api)
{
    free(api);
}
