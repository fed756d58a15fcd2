/* object_api.c - the routes of objects. */
#include "sql/object_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "sql/object_change.h"

#define ANSWER_BYTES ((size_t)64 * 1024 * 1024)
#define BODY_BYTES ((size_t)256 * 1024)
#define JSON_DEPTH 32
#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000

struct kind_route {
    struct object_api *api;
    enum object_kind kind;
};

struct object_api {
    struct object_parts parts;
    struct kind_route kinds[OBJECT_KIND_COUNT];
};

/* One request: a reading on a reader, or a change through the writer and then a
 * reading. */
struct object_work {
    struct pool_job read; /* first */
    struct object_api *api;
    struct lb_http_request *http;
    enum object_kind kind;
    struct catalog *catalog; /* owned reference; what is read */
    bool is_list;
    char id[OBJECT_ID_BYTES];   /* of the one object, or after which a list goes
                                   on; "": from the first */
    char site[OBJECT_ID_BYTES]; /* of links; "": all */
    size_t limit;
    int status; /* of the answer */
    struct object_change change;
    struct lb_buf answer;
    enum lb_err rc;
    struct lb_error err;
};

static void free_work(struct object_work *work)
{
    catalog_unref(work->catalog);
    object_change_deinit(&work->change);
    lb_buf_deinit(&work->answer);
    free(work);
}

static void respond_missing(struct lb_http_request *http)
{
    lb_http_respond_error(http, 404, "not_found", "There is none of this id.",
                          NULL);
}

/* --- reading -------------------------------------------------------------- */

/* Whether the asker may see an object: of a token of some sites theirs. */
static bool may_see(struct lb_http_request *http, const struct object_ref *ref)
{
    return ref->site == NULL ||
           auth_may_site(auth_who_of(http), ref->site->number);
}

/* Moves what may be seen to the front; how many these are. */
static size_t
keep_seen(struct lb_http_request *http, struct object_ref *refs, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (may_see(http, &refs[i])) {
            refs[kept++] = refs[i];
        }
    }
    return kept;
}

static enum lb_err add_list(struct object_work *work, struct db *db)
{
    struct lb_buf *out = &work->answer;
    struct object_ref *refs = NULL;
    size_t count = 0;
    size_t at = 0;
    enum lb_err rc = object_json_list(work->catalog, work->kind,
                                      work->site[0] == '\0' ? NULL : work->site,
                                      &refs, &count, &work->err);

    count = keep_seen(work->http, refs, count);
    while (at < count && work->id[0] != '\0' &&
           strcmp(refs[at].id, work->id) <= 0) {
        at++;
    }
    lb_buf_add_text(out, "{\"data\":[");
    for (size_t i = 0; i < work->limit && at < count && rc == LB_OK; i++) {
        lb_json_add_comma(out);
        rc = object_json_add(out, &refs[at++], db,
                             work->api->parts.more[work->kind], &work->err);
    }
    lb_buf_add_text(out, "],\"next\":");
    lb_json_add_string(out, at < count && at > 0 ? refs[at - 1].id : NULL);
    lb_buf_add_char(out, '}');
    free(refs);
    return rc;
}

static void run_read(struct pool_job *job, struct db *db)
{
    struct object_work *work = (struct object_work *)job;
    struct object_ref ref;

    if (work->is_list) {
        work->rc = add_list(work, db);
    } else if (object_json_find(work->catalog, work->kind, work->id, &ref) &&
               may_see(work->http, &ref)) {
        work->rc =
            object_json_add(&work->answer, &ref, db,
                            work->api->parts.more[work->kind], &work->err);
    } else {
        work->rc = LB_ENOTFOUND;
    }
}

static void
done_read(struct pool_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct object_work *work = (struct object_work *)job;

    if (rc != LB_OK) {
        lb_http_respond_error(work->http, 503, "not_ready", err->text, NULL);
    } else if (work->rc == LB_ENOTFOUND) {
        respond_missing(work->http);
    } else if (work->rc != LB_OK) {
        lb_http_respond_error(work->http, 503, "not_ready", work->err.text,
                              NULL);
    } else {
        lb_http_respond_json(work->http, work->status, &work->answer);
    }
    free_work(work);
}

static void start_reading(struct object_work *work)
{
    work->read.run = run_read;
    work->read.done = done_read;
    pool_submit(work->api->parts.readers, &work->read);
}

static struct object_work *new_work(struct lb_http_request *http, void *ctx)
{
    struct kind_route *route = ctx;
    struct object_work *work = calloc(1, sizeof(*work));

    if (work == NULL) {
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
        return NULL;
    }
    work->api = route->api;
    work->kind = route->kind;
    work->http = http;
    work->status = 200;
    work->catalog = catalog_ref(auth_who_of(http)->catalog);
    lb_buf_init(&work->answer, ANSWER_BYTES);
    return work;
}

static bool
refuse(struct lb_http_request *http, const char *code, const char *text)
{
    lb_http_respond_error(http, 400, code, text, NULL);
    return false;
}

static bool check_names(struct object_work *work)
{
    for (size_t i = 0; i < lb_http_request_query_count(work->http); i++) {
        const char *name = lb_http_request_query_key(work->http, i);
        char text[120];

        if (strcmp(name, "limit") != 0 && strcmp(name, "cursor") != 0 &&
            (work->kind != OBJECT_LINK || strcmp(name, "site") != 0)) {
            (void)snprintf(text, sizeof(text),
                           "There is no parameter \"%.60s\" here.", name);
            return refuse(work->http, "unknown_parameter", text);
        }
    }
    return true;
}

static bool read_list(struct object_work *work)
{
    const char *limit = lb_http_request_query(work->http, "limit", 0);
    const char *cursor = lb_http_request_query(work->http, "cursor", 0);
    const char *site = lb_http_request_query(work->http, "site", 0);
    long long number = LIMIT_DEFAULT;

    if (limit != NULL &&
        (!lb_text_to_int(limit, &number) || number < 1 || number > LIMIT_MAX)) {
        return refuse(work->http, "bad_request",
                      "limit must be from 1 to 1000.");
    }
    if (cursor != NULL &&
        (!lb_text_is_made_of(cursor, "!-~", sizeof(work->id) - 1))) {
        return refuse(work->http, "bad_cursor", "cursor is damaged.");
    }
    work->limit = (size_t)number;
    (void)snprintf(work->id, sizeof(work->id), "%s",
                   cursor == NULL ? "" : cursor);
    (void)snprintf(work->site, sizeof(work->site), "%.*s", OBJECT_ID_BYTES - 1,
                   site == NULL ? "" : site);
    return true;
}

static void handle_list(struct lb_http_request *http, void *ctx)
{
    struct object_work *work = new_work(http, ctx);

    if (work == NULL) {
        return;
    }
    work->is_list = true;
    if (!check_names(work) || !read_list(work)) {
        free_work(work);
        return;
    }
    start_reading(work);
}

static void handle_get(struct lb_http_request *http, void *ctx)
{
    struct object_work *work = new_work(http, ctx);

    if (work != NULL) {
        (void)snprintf(work->id, sizeof(work->id), "%.*s", OBJECT_ID_BYTES - 1,
                       lb_http_request_param(http, "id"));
        start_reading(work);
    }
}

/* --- changing ------------------------------------------------------------- */

static void respond_change(struct object_work *work)
{
    static const struct {
        enum lb_err rc;
        int status;
        const char *code;
        const char *text;
        const char *hint;
    } answers[] = {
        {LB_ENOTFOUND, 404, "not_found", "There is none of this id.", NULL},
        {LB_EEXIST, 409, "exists", "There is one of this id already.",
         "Change it with PUT."},
        {LB_EREADONLY, 409, "managed_by_file",
         "The applied file manages this object.",
         "Change it in linkbell.yaml, then linkbell apply or SIGHUP."},
        {LB_EFULL, 503, "disk_full", "The disk is full.", NULL},
        {LB_OK, 503, "not_ready", "The database can't be written now.", NULL}};
    size_t i = 0;

    while (answers[i].rc != LB_OK && answers[i].rc != work->change.rc) {
        i++;
    }
    if (answers[i].status == 503) {
        lb_http_respond_header(work->http, "Retry-After", "5");
    }
    lb_http_respond_error(work->http, answers[i].status, answers[i].code,
                          answers[i].text, answers[i].hint);
    free_work(work);
}

static void on_changed(void *ctx)
{
    struct object_work *work = ctx;

    if (work->change.rc != LB_OK) {
        respond_change(work);
        return;
    }
    if (work->change.is_removal) {
        lb_http_respond(work->http, 204, NULL, "", 0);
        free_work(work);
        return;
    }
    (void)snprintf(work->id, sizeof(work->id), "%s", work->change.id);
    catalog_unref(work->catalog);
    work->catalog = catalog_current(work->api->parts.target->holder);
    start_reading(work);
}

static void submit(struct object_work *work)
{
    work->change.target = work->api->parts.target;
    work->change.kind = work->kind;
    work->change.done = on_changed;
    work->change.ctx = work;
    if (!object_change_submit(&work->change, work->api->parts.writer)) {
        lb_http_respond_error(work->http, 503, "overloaded",
                              "Too much waits to be stored.", NULL);
        free_work(work);
    }
}

static bool respond_invalid(struct object_work *work,
                            const struct object_fault *fault)
{
    struct lb_buf *answer = &work->answer;

    lb_buf_printf(answer,
                  "{\"error\":{\"code\":\"%s\",\"message\":", fault->code);
    lb_json_add_string(answer, fault->text);
    lb_buf_add_text(answer, ",\"hint\":null,\"field\":");
    lb_json_add_string(answer, fault->field[0] == '\0' ? NULL : fault->field);
    lb_buf_add_text(answer, "}}");
    lb_http_respond_json(work->http, 422, answer);
    return false;
}

/* Members of an answer that a client sends back are no settings. */
static void drop_answered(cJSON *body)
{
    static const char *const answered[] = {
        "created",    "removed", "managed_by",  "muted_until",
        "last_fired", "state",   "reason",      "waiting",
        "held",       "dead",    "last_success"};

    for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++) {
        cJSON_DeleteItemFromObjectCaseSensitive(body, answered[i]);
    }
    for (cJSON *item = body->child; item != NULL;) {
        cJSON *next = item->next;

        if (cJSON_IsNull(item)) { /* answered for what is not set */
            cJSON_Delete(cJSON_DetachItemViaPointer(body, item));
        }
        item = next;
    }
}

/* The id that the body names, or a new one for a rule or destination.  False:
 * 422 was answered. */
static bool read_id(struct object_work *work, bool is_new)
{
    cJSON *body = work->change.body;
    const char *id = lb_json_text(body, "id");
    char made[OBJECT_ID_BYTES];
    struct object_fault fault = {"invalid", "", ""};

    if (work->kind == OBJECT_LINK) {
        const char *site = lb_json_text(body, "site");
        const char *slug = lb_json_text(body, "slug");

        if (site == NULL || catalog_site_find(work->catalog, site) == NULL) {
            (void)snprintf(fault.field, sizeof(fault.field), "site");
            (void)snprintf(fault.text, sizeof(fault.text),
                           site == NULL ? "site: is missing"
                                        : "site: there is no such site");
            return respond_invalid(work, &fault);
        }
        (void)snprintf(work->change.id, sizeof(work->change.id), "%.64s:%.80s",
                       site, slug == NULL ? "" : slug);
        return true;
    }
    if (id == NULL && is_new && work->kind != OBJECT_SITE &&
        lb_secret_id(work->kind == OBJECT_RULE ? "rule-" : "dest-", made, 22)) {
        (void)cJSON_AddStringToObject(body, "id", made);
        id = lb_json_text(body, "id");
    }
    (void)snprintf(work->change.id, sizeof(work->change.id), "%.*s",
                   OBJECT_ID_BYTES - 1, id == NULL ? "" : id);
    return true;
}

static bool check_body(struct object_work *work)
{
    struct object_fault fault;

    return object_draft_check(work->kind, work->change.body, work->catalog,
                              work->api->parts.target->kinds, &fault) ||
           respond_invalid(work, &fault);
}

static bool parse_body(struct object_work *work)
{
    struct lb_buf *body = lb_http_request_body(work->http);
    struct lb_json_fault fault;
    char text[120];

    if (lb_json_parse(lb_buf_text(body), body->len, JSON_DEPTH, NULL,
                      &work->change.body, &fault) != LB_OK) {
        (void)snprintf(text, sizeof(text), "line %zu, column %zu: %s",
                       fault.line, fault.column, fault.reason);
        return refuse(work->http, fault.code, text);
    }
    if (!cJSON_IsObject(work->change.body) ||
        lb_json_find_duplicate_key(work->change.body) != NULL) {
        return refuse(work->http, "bad_json",
                      "The body must be one object without repeated keys.");
    }
    drop_answered(work->change.body);
    return true;
}

static void handle_create(struct lb_http_request *http, void *ctx)
{
    struct object_work *work = new_work(http, ctx);

    if (work == NULL) {
        return;
    }
    work->status = 201;
    work->change.is_new = true;
    if (parse_body(work) && read_id(work, true) && check_body(work)) {
        submit(work);
    } else {
        free_work(work);
    }
}

static bool refuse_other_id(struct object_work *work)
{
    lb_http_respond_error(work->http, 409, "id_mismatch",
                          "The body names another object than the path.",
                          "What names an object is not changed: make a new "
                          "one.");
    return false;
}

/* Reads the whole object of the path; its id may be left out, or for a link be
 * told by site and slug. */
static bool read_replacement(struct object_work *work)
{
    const char *id = lb_http_request_param(work->http, "id");
    struct object_ref ref;
    const char *named;

    if (!object_json_find(work->catalog, work->kind, id, &ref)) {
        respond_missing(work->http);
        return false;
    }
    if (!parse_body(work)) {
        return false;
    }
    named = lb_json_text(work->change.body, "id");
    if (named != NULL && strcmp(named, id) != 0) {
        return refuse_other_id(work);
    }
    if (named == NULL && work->kind != OBJECT_LINK) {
        (void)cJSON_AddStringToObject(work->change.body, "id", id);
    }
    return read_id(work, false) && check_body(work) &&
           (strcmp(work->change.id, id) == 0 || refuse_other_id(work));
}

static void handle_replace(struct lb_http_request *http, void *ctx)
{
    struct object_work *work = new_work(http, ctx);

    if (work == NULL) {
        return;
    }
    if (read_replacement(work)) {
        submit(work);
    } else {
        free_work(work);
    }
}

static void handle_delete(struct lb_http_request *http, void *ctx)
{
    struct object_work *work = new_work(http, ctx);

    if (work != NULL) {
        work->change.is_removal = true;
        (void)snprintf(work->change.id, sizeof(work->change.id), "%.*s",
                       OBJECT_ID_BYTES - 1, lb_http_request_param(http, "id"));
        submit(work);
    }
}

/* A token of some sites reads these sites and their links, and changes
 * nothing: what it made could reach further than itself. */
static void check_reading(struct lb_http_request *http, void *ctx)
{
    struct kind_route *route = ctx;

    (void)auth_check(route->api->parts.auth, http, CATALOG_SCOPE_ADMIN, false);
}

static void check_all(struct lb_http_request *http, void *ctx)
{
    struct kind_route *route = ctx;
    const struct auth_who *who;

    if (!auth_check(route->api->parts.auth, http, CATALOG_SCOPE_ADMIN, false)) {
        return;
    }
    who = auth_who_of(http);
    if (who->token != NULL && !who->token->is_all_sites) {
        lb_http_respond_error(http, 403, "site",
                              "This takes a token of all sites.", NULL);
    }
}

static enum lb_err add_routes(struct lb_http_server *server,
                              struct kind_route *route,
                              const char *list,
                              const char *one,
                              struct lb_error *err)
{
    bool is_of_site = route->kind == OBJECT_SITE || route->kind == OBJECT_LINK;
    lb_http_handler_fn check = is_of_site ? check_reading : check_all;
    const struct lb_http_route routes[] = {
        {"GET", list, check, handle_list, route, 0},
        {"POST", list, check_all, handle_create, route, BODY_BYTES},
        {"GET", one, check, handle_get, route, 0},
        {"PUT", one, check_all, handle_replace, route, BODY_BYTES},
        {"DELETE", one, check_all, handle_delete, route, 0},
    };
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

enum lb_err object_api_new(struct lb_http_server *server,
                           const struct object_parts *parts,
                           struct object_api **api_out,
                           struct lb_error *err)
{
    static const char *const paths[OBJECT_KIND_COUNT][2] = {
        {"/v1/sites", "/v1/sites/{id}"},
        {"/v1/links", "/v1/links/{id}"},
        {"/v1/rules", "/v1/rules/{id}"},
        {"/v1/destinations", "/v1/destinations/{id}"}};
    struct object_api *api = calloc(1, sizeof(*api));
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->parts = *parts;
    for (int i = 0; i < OBJECT_KIND_COUNT && rc == LB_OK; i++) {
        api->kinds[i] = (struct kind_route){api, (enum object_kind)i};
        rc = add_routes(server, &api->kinds[i], paths[i][0], paths[i][1], err);
    }
    return rc;
}

void object_api_free(struct object_api *api)
{
    free(api);
}
