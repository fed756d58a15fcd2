/* rules_api.c - POST /v1/rules/{id}/test. */
#include "alerts/rules_api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_store.h"
#include "alerts/message.h"
#include "alerts/rule.h"
#include "alerts/sample.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"

#define ANSWER_BYTES ((size_t)16 * 1024 * 1024)

struct rules_api {
    struct auth *auth;
    struct writer *writer;
    const struct lb_config *config;
    struct deliver *deliver; /* NULL: nobody sends */
};

/* One request on its way. */
struct work {
    struct writer_job write; /* first */
    struct rules_api *api;
    struct lb_http_request *http;
    const struct catalog_object *object; /* the request's */
    struct rule rule;                    /* of a test */
    int64_t now_ms;
    struct lb_buf answer;
    struct lb_error err;
};

static void free_work(struct work *work)
{
    lb_buf_deinit(&work->answer);
    free(work);
}

static void fail(struct work *work, enum lb_err rc, const struct lb_error *err)
{
    lb_http_respond_error(work->http, 503,
                          rc == LB_EFULL ? "disk_full" : "not_ready", err->text,
                          NULL);
    free_work(work);
}

/* The first site that the rule looks at and the token may see; NULL: none. */
static const struct catalog_site *find_site(struct lb_http_request *http,
                                            const struct rule *rule)
{
    const struct auth_who *who = auth_who_of(http);

    for (size_t i = 0; i < catalog_site_count(who->catalog); i++) {
        const struct catalog_site *site = catalog_site_at(who->catalog, i);

        if (rule_covers(rule, site->id) && auth_may_site(who, site->number)) {
            return site;
        }
    }
    return NULL;
}

/* A token of some sites sees the rules that look at one of them. */
static bool may_see(struct lb_http_request *http,
                    const struct catalog_object *object)
{
    const struct auth_who *who = auth_who_of(http);
    struct rule rule;
    struct lb_error err;

    return who->token == NULL || who->token->is_all_sites ||
           (rule_read(object->body, &rule, &err) == LB_OK &&
            find_site(http, &rule) != NULL);
}

/* NULL: it was answered. */
static struct work *make_work(struct rules_api *api,
                              struct lb_http_request *http)
{
    const struct catalog_object *object =
        catalog_object_find(auth_who_of(http)->catalog, CATALOG_RULE,
                            lb_http_request_param(http, "id"));
    struct work *work;

    if (object == NULL || !may_see(http, object)) {
        lb_http_respond_error(http, 404, "not_found", "There is no such rule.",
                              NULL);
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
    return work;
}

/* --- a made-up alert
 * ------------------------------------------------------------------------ */

static struct work *work_of(struct writer_job *job)
{
    return (struct work *)job; /* the first member */
}

/* One message a destination, since it names the destination. */
static enum lb_err queue_one(struct work *work,
                             struct db *db,
                             const struct catalog_site *site,
                             const char *destination,
                             struct lb_error *err)
{
    char id[RULE_ALERT_ID_BYTES];
    char url[LB_CONFIG_TEXT_BYTES];
    char delivery[ALERT_STORE_DELIVERY_BYTES];
    char occasion[32];
    const struct sample sample = {&work->rule, site, id,
                                  destination, url,  work->now_ms};
    const struct alert_store_row row = {
        id,           work->rule.id, site->id, work->rule.severity,
        work->now_ms, NULL,          NULL};
    struct alert_store_message message = {"test", NULL, &destination, 1};
    struct lb_buf body;
    enum lb_err rc;

    (void)snprintf(occasion, sizeof(occasion), "test-%" PRId64, work->now_ms);
    rule_alert_id(work->rule.id, site->id, destination, occasion, id);
    id[0] = 't'; /* instead of al_ */
    id[1] = 'e';
    lb_config_base_url(work->api->config, url);
    lb_buf_init(&body, 2 * MESSAGE_BYTES);
    sample_write(&sample, &body);
    message.body = lb_buf_text(&body);
    rc = alert_store_queue(db, &row, &message, err);
    lb_buf_deinit(&body);
    alert_store_delivery_id(id, destination, delivery);
    lb_json_add_comma(&work->answer);
    lb_buf_add_text(&work->answer, "{\"id\":");
    lb_json_add_string(&work->answer, delivery);
    lb_json_add_key(&work->answer, "destination");
    lb_json_add_string(&work->answer, destination);
    lb_buf_add_char(&work->answer, '}');
    return rc;
}

static enum lb_err
run_test(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct work *work = work_of(job);
    const struct catalog_site *site = find_site(work->http, &work->rule);
    enum lb_err rc = LB_OK;

    lb_buf_clear(&work->answer);
    lb_buf_add_text(&work->answer, "{\"rule\":");
    lb_json_add_string(&work->answer, work->rule.id);
    lb_buf_add_text(&work->answer, ",\"deliveries\":[");
    for (size_t i = 0; i < work->rule.notify_count && rc == LB_OK; i++) {
        rc = queue_one(work, db, site, work->rule.notify[i], err);
    }
    lb_buf_add_text(&work->answer, "]}");
    return rc;
}

static void
done_test(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct work *work = work_of(job);

    if (rc != LB_OK) {
        fail(work, rc, err);
        return;
    }
    if (work->api->deliver != NULL) {
        deliver_wake(work->api->deliver);
    }
    lb_http_respond_json(work->http, 202, &work->answer);
    free_work(work);
}

/* False: it was answered. */
static bool may_test(struct work *work)
{
    const char *fault = NULL;

    if (rule_read(work->object->body, &work->rule, &work->err) != LB_OK) {
        fault = work->err.text;
    } else if (work->rule.notify_count == 0) {
        fault = "The rule has nobody to tell: notify is empty.";
    } else if (find_site(work->http, &work->rule) == NULL) {
        fault = "The rule looks at no site that there is.";
    }
    if (fault != NULL) {
        lb_http_respond_error(work->http, 422, "invalid", fault, NULL);
    }
    return fault == NULL;
}

static void handle_test(struct lb_http_request *http, void *ctx)
{
    struct rules_api *api = ctx;
    struct work *work = make_work(api, http);

    if (work == NULL) {
        return;
    }
    if (!may_test(work)) {
        free_work(work);
        return;
    }
    work->write.run = run_test;
    work->write.done = done_test;
    if (writer_submit(api->writer, &work->write) != LB_OK) {
        lb_http_respond_error(http, 503, "overloaded",
                              "Too much waits to be stored.", NULL);
        free_work(work);
    }
}

static void check(struct lb_http_request *http, void *ctx)
{
    struct rules_api *api = ctx;

    (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
}

enum lb_err rules_api_new(struct lb_http_server *server,
                          const struct alerts_parts *parts,
                          struct rules_api **api_out,
                          struct lb_error *err)
{
    struct rules_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/rules/{id}/test", check, handle_test, api, 0},
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

void rules_api_set_deliver(struct rules_api *api, struct deliver *deliver)
{
    api->deliver = deliver;
}

void rules_api_free(struct rules_api *api)
{
    free(api);
}
