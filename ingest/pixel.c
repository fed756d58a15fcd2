/* pixel.c - an event by an image. */
#include "ingest/pixel.h"

#include <string.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"
#include "ingest/arrival.h"
#include "ingest/utm.h"

#define JSON_BYTES ((size_t)512 * 1024)
#define PROP "prop."

/* One transparent pixel (GIF89a). */
static const char image[] =
    "GIF89a\1\0\1\0\200\0\0\0\0\0\377\377\377!\371\4\1\0\0\0\0,\0\0\0\0\1\0\1\0"
    "\0\2\2D\1\0;";
#define IMAGE_BYTES (sizeof(image) - 1)

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        lb_json_add_key(out, key);
        lb_json_add_plain_string(out, text);
    }
}

/* Whether an earlier parameter has the same name: the first one counts. */
static bool is_repeat(struct lb_http_request *http, size_t index)
{
    const char *name = lb_http_request_query_key(http, index);

    for (size_t i = 0; i < index; i++) {
        if (strcmp(lb_http_request_query_key(http, i), name) == 0) {
            return true;
        }
    }
    return false;
}

/* The parameters prop.KEY. */
static void add_props(struct lb_buf *out, struct lb_http_request *http)
{
    size_t len = strlen(PROP);

    lb_json_add_key(out, "props");
    lb_buf_add_char(out, '{');
    for (size_t i = 0; i < lb_http_request_query_count(http); i++) {
        const char *name = lb_http_request_query_key(http, i);

        if (strncmp(name, PROP, len) == 0 && name[len] != '\0' &&
            !is_repeat(http, i)) {
            add_text(out, name + len, lb_http_request_query_value(http, i));
        }
    }
    lb_buf_add_char(out, '}');
}

static void add_utm(struct lb_buf *out, struct lb_http_request *http)
{
    lb_json_add_key(out, "utm");
    lb_buf_add_char(out, '{');
    for (int key = 0; key < UTM_KEY_COUNT; key++) {
        const char *name = utm_key_name((enum utm_key)key);

        add_text(out, name, lb_http_request_query(http, name, 0));
    }
    lb_buf_add_char(out, '}');
}

/* The native event that a request's parameters make.  Text that is no UTF-8 is
 * replaced. */
static void write_event(struct lb_http_request *http, struct lb_buf *out)
{
    static const char *const plain[] = {"site", "name", "link", "referrer"};
    const char *type = lb_http_request_query(http, "type", 0);
    const char *url = lb_http_request_query(http, "url", 0);

    lb_buf_add_char(out, '{');
    add_text(out, "type", type == NULL ? "view" : type);
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        add_text(out, plain[i], lb_http_request_query(http, plain[i], 0));
    }
    add_text(out, "url",
             url == NULL ? lb_http_request_header(http, "Referer") : url);
    add_utm(out, http);
    add_props(out, http);
    lb_buf_add_char(out, '}');
}

static void respond_image(struct lb_http_request *http)
{
    lb_http_respond_header(http, "Cross-Origin-Resource-Policy",
                           "cross-origin");
    lb_http_respond(http, 200, "image/gif", image, IMAGE_BYTES);
}

static void respond_fault(struct lb_http_request *http,
                          const struct event_fault *fault)
{
    if (fault->code == NULL || strcmp(fault->code, "internal") == 0) {
        lb_http_respond_header(http, "Retry-After", "1");
        lb_http_respond_error(http, 503, "overloaded", "Out of memory.", NULL);
    } else if (strcmp(fault->code, "unknown_site") == 0) {
        lb_http_respond_error(http, 404, "unknown_site",
                              "There is no site with the id that site= names.",
                              "See the sites in linkbell.yaml.");
    } else {
        lb_http_respond_error(http, 422, "invalid", fault->message, NULL);
    }
}

static void on_stored(void *ctx, const struct arrival_result *result)
{
    struct lb_http_request *http = ctx;

    if (result->rc == LB_OK) {
        respond_image(http);
    } else {
        intake_respond_failed(http, result->rc, result->err);
    }
}

static bool add_event(struct arrival *arrival, struct lb_http_request *http)
{
    struct event_fault fault = {.code = NULL};
    struct lb_buf text;
    cJSON *json;
    bool is_added;

    lb_buf_init(&text, JSON_BYTES);
    write_event(http, &text);
    json = text.is_failed ? NULL
                          : lb_json_parse_checked(lb_buf_text(&text), text.len,
                                                  arrival_arena(arrival));
    is_added = json != NULL && arrival_add(arrival, json, &fault);
    if (!is_added) {
        respond_fault(http, &fault);
    }
    lb_buf_deinit(&text);
    return is_added;
}

static void add_cors(struct lb_http_request *http, void *ctx)
{
    (void)ctx;
    lb_http_respond_header(http, "Access-Control-Allow-Origin", "*");
}

static void handle(struct lb_http_request *http, void *ctx)
{
    struct arrival *arrival = arrival_new(ctx, http, ARRIVAL_VISITOR);
    struct lb_error err = {LB_OK, ""};
    struct event_fault fault = {.code = NULL};

    if (arrival == NULL) {
        respond_fault(http, &fault);
        return;
    }
    /* The request's own referrer is the page that the image stands on. */
    arrival_context(arrival)->referrer = NULL;
    if (!arrival_take_rate(arrival, http, 1) || !add_event(arrival, http)) {
        arrival_free(arrival);
        return;
    }
    if (arrival_submit(arrival, on_stored, http, &err) != LB_OK) {
        intake_respond_full(http, &err);
    }
}

enum lb_err pixel_add(struct lb_http_server *server,
                      struct intake *intake,
                      struct lb_error *err)
{
    const struct lb_http_route route = {"GET",  "/e.gif", add_cors,
                                        handle, intake,   0};

    return lb_http_server_add_route(server, &route, err);
}
