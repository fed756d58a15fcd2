/* import_api.c - the local routes of imports. */
#include "ingest/import_api.h"

#include <stdlib.h>
#include <string.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/text.h"
#include "ingest/import_session.h"
#include "sql/auth.h"

#define BODY_BYTES ((size_t)8 * 1024 * 1024)

struct import_api {
    struct intake *intake;
    struct import_sessions *sessions; /* owned */
};

static void check(struct lb_http_request *http, void *ctx)
{
    struct import_api *api = ctx;

    if (!lb_http_request_is_local(http)) {
        lb_http_respond_error(http, 404, "not_found",
                              "There is nothing at this path.", NULL);
        return;
    }
    (void)auth_check(intake_parts(api->intake)->auth, http,
                     CATALOG_SCOPE_INGEST, false);
}

static void handle_start(struct lb_http_request *http, void *ctx)
{
    struct import_api *api = ctx;
    const char *name = lb_http_request_query(http, "session", 0);
    const char *site = lb_http_request_query(http, "site", 0);

    if (!import_session_is_name(name)) {
        lb_http_respond_error(http, 400, "bad_request",
                              "session must be 1 to 32 letters or digits.",
                              NULL);
    } else if (site != NULL &&
               catalog_site_find(auth_who_of(http)->catalog, site) == NULL) {
        lb_http_respond_error(http, 404, "unknown_site",
                              "There is no such site.",
                              "Add it to linkbell.yaml and apply it.");
    } else {
        import_session_start(api->sessions, http, name);
    }
}

/* A query's number; -1: it is none. */
static long long number_of(struct lb_http_request *http, const char *key)
{
    const char *text = lb_http_request_query(http, key, 0);
    long long value = -1;

    return text != NULL && lb_text_to_int(text, &value) ? value : -1;
}

static void handle_records(struct lb_http_request *http, void *ctx)
{
    struct import_api *api = ctx;
    const long long run = number_of(http, "run");
    const long long number = number_of(http, "number");
    struct import_place place = {lb_http_request_query(http, "session", 0), run,
                                 (size_t)number, number_of(http, "last") == 1};

    if (!import_session_is_name(place.name) || run < 0 || number < 0) {
        lb_http_respond_error(http, 400, "bad_request",
                              "session, run or number is missing.", NULL);
        return;
    }
    import_session_take(api->sessions, http, &place);
}

bool import_api_is_busy(const struct import_api *api)
{
    return import_sessions_are_busy(api->sessions);
}

enum lb_err import_api_new(struct lb_http_server *server,
                           struct intake *intake,
                           struct import_api **api_out,
                           struct lb_error *err)
{
    struct import_api *api = calloc(1, sizeof(*api));
    const struct lb_http_route routes[] = {
        {"POST", "/v1/import/start", check, handle_start, api, BODY_BYTES},
        {"POST", "/v1/import", check, handle_records, api, BODY_BYTES},
    };
    enum lb_err rc = LB_OK;

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->intake = intake;
    api->sessions = import_sessions_new(intake);
    if (api->sessions == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]) && rc == LB_OK;
         i++) {
        rc = lb_http_server_add_route(server, &routes[i], err);
    }
    return rc;
}

void import_api_free(struct import_api *api)
{
    if (api != NULL) {
        import_sessions_free(api->sessions);
        free(api);
    }
}
