/* alerts_act.c - POST /v1/alerts/{id}/ack and .../mute, with a token and JSON,
 * or from the page that a message's link opened. */
#include "alerts/alerts_act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_links.h"
#include "alerts/alert_page.h"
#include "alerts/alerts_store.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/text.h"

#define BODY_BYTES 16384
#define BODY_DEPTH 4
#define NOTE_BYTES 1000
#define ID_BYTES 32
#define ANSWER_BYTES ((size_t)1024 * 1024)

struct alerts_act {
    struct auth *auth;
    struct writer *writer;
    struct cursor *cursor;
    struct alert_links links;
    struct alert_page *page; /* owned */
};

/* One request on its way through the writer. */
struct act {
    struct writer_job job; /* first */
    struct alerts_act *api;
    struct lb_http_request *http;
    char id[ID_BYTES];
    bool is_by_link; /* it is answered with a page */
    bool is_mute;
    bool is_whole_rule;
    int64_t for_ms;
    char note[NOTE_BYTES + 1]; /* "" none */
    struct entry entry;
    struct lb_buf data; /* of entry */
    struct lb_buf answer;
};

static void free_act(struct act *act)
{
    lb_buf_deinit(&act->data);
    lb_buf_deinit(&act->answer);
    free(act);
}

static const char *name_of(bool is_mute)
{
    return is_mute ? "mute" : "ack";
}

/* A link's key is for the alert, whatever its site. */
static bool may_site(void *ctx, const char *site)
{
    const struct act *act = ctx;
    const struct auth_who *who = auth_who_of(act->http);
    const struct catalog_site *found;

    if (act->is_by_link) {
        return true;
    }
    found = catalog_site_find(who->catalog, site);
    return who->token == NULL || who->token->is_all_sites ||
           (found != NULL && auth_may_site(who, found->number));
}

/* --- on the writer's thread
 * ------------------------------------------------------------------------ */

/* The group as the rule wrote it: its text is a key. */
static void add_group(struct lb_buf *out, const cJSON *group)
{
    const cJSON *item;

    lb_buf_add_char(out, '{');
    cJSON_ArrayForEach (item, group) {
        lb_json_add_key(out, item->string);
        lb_json_add_plain_string(out, cJSON_IsString(item) ? item->valuestring
                                                           : NULL);
    }
    lb_buf_add_char(out, '}');
}

/* An entry of the log, so that rules depend on nothing else. */
static enum lb_err
append_mute(struct act *act, struct db *db, struct lb_error *err)
{
    cJSON *alert = cJSON_Parse(lb_buf_text(&act->answer));
    struct lb_buf group;

    lb_buf_init(&group, ANSWER_BYTES);
    add_group(&group, cJSON_GetObjectItemCaseSensitive(alert, "group"));
    memset(&act->entry, 0, sizeof(act->entry));
    act->entry.kind = ENTRY_MUTE;
    act->entry.received_at_ms = lb_clock_wall_ms();
    act->entry.ts_at_ms = act->entry.received_at_ms;
    lb_buf_clear(&act->data);
    lb_buf_add_text(&act->data, "{\"rule\":");
    lb_json_add_plain_string(&act->data, lb_json_text(alert, "rule"));
    if (!act->is_whole_rule) {
        lb_buf_add_text(&act->data, ",\"site\":");
        lb_json_add_plain_string(&act->data, lb_json_text(alert, "site"));
        lb_buf_add_text(&act->data, ",\"group\":");
        lb_json_add_plain_string(&act->data, lb_buf_text(&group));
    }
    lb_buf_add_text(&act->data, ",\"until\":");
    lb_buf_add_int(&act->data, act->entry.received_at_ms + act->for_ms);
    lb_buf_add_char(&act->data, '}');
    act->entry.data = lb_buf_text(&act->data);
    lb_buf_deinit(&group);
    cJSON_Delete(alert);
    return cursor_append(act->api->cursor, db, &act->entry, err);
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct act *act = (struct act *)job;
    const struct alerts_store_question question = {.may_site = may_site,
                                                   .ctx = act};
    enum lb_err rc;

    lb_buf_clear(&act->answer);
    rc = alerts_store_get_alert(db, act->id, &question, &act->answer, err);
    if (rc == LB_OK && act->is_mute) {
        return append_mute(act, db, err);
    }
    rc = rc == LB_OK
             ? alerts_store_acknowledge(db, act->id, lb_clock_wall_ms(),
                                        act->note[0] == '\0' ? NULL : act->note,
                                        err)
             : rc;
    lb_buf_clear(&act->answer);
    return rc == LB_OK ? alerts_store_get_alert(db, act->id, &question,
                                                &act->answer, err)
                       : rc;
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct act *act = (struct act *)job;

    if (act->is_by_link && rc == LB_OK) {
        alert_page_done(act->http, name_of(act->is_mute),
                        lb_buf_text(&act->answer));
    } else if (act->is_by_link) {
        alert_page_failed(act->http, rc == LB_ENOTFOUND ? 404 : 503,
                          rc == LB_ENOTFOUND
                              ? "There is no such alert any more."
                              : err->text);
    } else if (rc == LB_ENOTFOUND) {
        lb_http_respond_error(act->http, 404, "not_found",
                              "There is no such alert.", NULL);
    } else if (rc != LB_OK) {
        lb_http_respond_error(act->http, 503,
                              rc == LB_EFULL ? "disk_full" : "not_ready",
                              err->text, NULL);
    } else {
        lb_http_respond_json(act->http, 200, &act->answer);
    }
    free_act(act);
}

/* --- on the loop's
 * ------------------------------------------------------------------------ */

static void invalid(struct lb_http_request *http, const char *field)
{
    struct lb_buf answer;

    lb_buf_init(&answer, 4096);
    lb_buf_printf(
        &answer,
        "{\"error\":{\"code\":\"invalid\",\"message\":\"%s\",\"hint\":null,"
        "\"field\":\"%s\"}}",
        strcmp(field, "note") == 0 ? "note must be a text of 1000 bytes at most"
        : strcmp(field, "for") == 0
            ? "for must be a duration such as 30m, 4h or 1d"
            : "rule must be true or false",
        field);
    lb_http_respond_json(http, 422, &answer);
    lb_buf_deinit(&answer);
}

/* The field at fault; NULL: none. */
static const char *read_body(struct act *act, const cJSON *body)
{
    const cJSON *note = cJSON_GetObjectItemCaseSensitive(body, "note");
    const cJSON *rule = cJSON_GetObjectItemCaseSensitive(body, "rule");
    const char *text = lb_json_text(body, "for");

    if (act->is_mute) {
        act->is_whole_rule = cJSON_IsTrue(rule);
        if (rule != NULL && !cJSON_IsBool(rule)) {
            return "rule";
        }
        return text != NULL && lb_config_parse_duration(text, &act->for_ms) &&
                       act->for_ms > 0
                   ? NULL
                   : "for";
    }
    if (note != NULL && !cJSON_IsNull(note) &&
        (!cJSON_IsString(note) || strlen(note->valuestring) > NOTE_BYTES)) {
        return "note";
    }
    if (note != NULL && cJSON_IsString(note)) {
        (void)snprintf(act->note, sizeof(act->note), "%s", note->valuestring);
    }
    return NULL;
}

/* How long the form's "for=4h" is; 0: nothing that it offers. */
static int64_t read_for(const char *pair, size_t len)
{
    static const char *const durations[] = {"1h", "4h", "1d", "7d"};
    int64_t ms = 0;

    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
        if (len == 6 && strncmp(pair, "for=", 4) == 0 &&
            strncmp(pair + 4, durations[i], 2) == 0 &&
            lb_config_parse_duration(durations[i], &ms)) {
            return ms;
        }
    }
    return 0;
}

/* What the page's form says: "rule=true&for=4h".  False: it does not say for
 * how long. */
static bool read_form(struct act *act, const char *form)
{
    while (form[0] != '\0') {
        size_t len = strcspn(form, "&");
        int64_t ms = read_for(form, len);

        act->for_ms = ms > 0 ? ms : act->for_ms;
        act->is_whole_rule = act->is_whole_rule ||
                             (len == 9 && strncmp(form, "rule=true", len) == 0);
        form += len + (form[len] == '&' ? 1 : 0);
    }
    return !act->is_mute || act->for_ms > 0;
}

/* Whether it is understood; else it was answered. */
static bool read_request(struct act *act)
{
    struct lb_buf *body = lb_http_request_body(act->http);
    struct lb_json_fault fault;
    cJSON *json = NULL;
    const char *field;

    if (act->is_by_link) {
        if (read_form(act, lb_buf_text(body))) {
            return true;
        }
        alert_page_failed(act->http, 422,
                          "The form does not say for how long.");
        return false;
    }
    if (body->len > 0 && lb_json_parse(lb_buf_text(body), body->len, BODY_DEPTH,
                                       NULL, &json, &fault) != LB_OK) {
        lb_http_respond_error(act->http, 400, "bad_json",
                              "The body is not JSON.", NULL);
        return false;
    }
    field = read_body(act, json);
    cJSON_Delete(json);
    if (field != NULL) {
        invalid(act->http, field);
    }
    return field == NULL;
}

static void
handle(struct alerts_act *api, struct lb_http_request *http, bool is_mute)
{
    struct act *act = calloc(1, sizeof(*act));

    if (act == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return;
    }
    lb_buf_init(&act->data, ANSWER_BYTES);
    lb_buf_init(&act->answer, ANSWER_BYTES);
    act->api = api;
    act->http = http;
    act->is_mute = is_mute;
    act->is_by_link = lb_http_request_query(http, "key", 0) != NULL;
    act->job.run = run;
    act->job.done = done;
    (void)snprintf(act->id, sizeof(act->id), "%s",
                   lb_http_request_param(http, "id"));
    if (!read_request(act)) {
        free_act(act);
    } else if (writer_submit(api->writer, &act->job) != LB_OK) {
        lb_http_respond_error(http, 503, "overloaded",
                              "Too much waits to be stored.", NULL);
        free_act(act);
    }
}

static void handle_ack(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, false);
}

static void handle_mute(struct lb_http_request *http, void *ctx)
{
    handle(ctx, http, true);
}

static void check(struct lb_http_request *http, void *ctx, bool is_mute)
{
    struct alerts_act *api = ctx;

    if (lb_http_request_query(http, "key", 0) != NULL) {
        (void)alert_page_may(&api->links, http, name_of(is_mute));
    } else {
        (void)auth_check(api->auth, http, CATALOG_SCOPE_ADMIN, false);
    }
}

static void check_ack(struct lb_http_request *http, void *ctx)
{
    check(http, ctx, false);
}

static void check_mute(struct lb_http_request *http, void *ctx)
{
    check(http, ctx, true);
}

enum lb_err alerts_act_new(struct lb_http_server *server,
                           const struct alerts_parts *parts,
                           struct alerts_act **act_out,
                           struct lb_error *err)
{
    struct alerts_act *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/alerts/{id}/ack", check_ack, handle_ack, api, BODY_BYTES},
        {"POST", "/v1/alerts/{id}/mute", check_mute, handle_mute, api,
         BODY_BYTES},
    };
    enum lb_err rc;

    *act_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->auth = parts->auth;
    api->writer = parts->writer;
    api->cursor = parts->cursor;
    rc = alert_links_init(writer_db(parts->writer), parts->config, &api->links,
                          err);
    rc = rc == LB_OK ? alert_page_new(server, parts->readers, &api->links,
                                      &api->page, err)
                     : rc;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void alerts_act_free(struct alerts_act *act)
{
    if (act != NULL) {
        alert_page_free(act->page);
        free(act);
    }
}
