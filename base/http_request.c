/* http_request.c - what a handler asks of a request, and finding its route. */
#include "base/http_request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/http_respond.h"
#include "base/http_server_conn.h"
#include "base/text.h"

#define ALLOW_BYTES 128

static char *text_at(struct lb_http_request *request,
                     const struct lb_http_parse_piece *piece)
{
    return request->text.data + piece->at;
}

/* Cuts the head's bytes into NUL-terminated texts, in place: each is followed
 * by a character that is not needed any more. */
static void cut_texts(struct lb_http_request *request)
{
    const struct lb_http_parse *head = &request->head;

    text_at(request, &head->method)[head->method.len] = '\0';
    text_at(request, &head->target)[head->target.len] = '\0';
    for (size_t i = 0; i < head->field_count; i++) {
        text_at(request, &head->fields[i].name)[head->fields[i].name.len] =
            '\0';
        text_at(request, &head->fields[i].value)[head->fields[i].value.len] =
            '\0';
    }
}

void lb_http_request_read_head(struct lb_http_request *request)
{
    const struct lb_http_parse *head = &request->head;
    char *target;
    size_t path_len;
    long decoded;

    /* The host of a URL stands inside the target's line: keep it before
     * cutting. */
    if (head->host.len > 0 && head->has_absolute_host) {
        char *host = text_at(request, &head->host);

        memmove(host - 1, host, head->host.len);
        host[head->host.len - 1] = '\0';
        request->head.host.at--;
    }
    cut_texts(request);
    request->is_head = strcmp(lb_http_request_method(request), "HEAD") == 0;
    target = text_at(request, &head->target);
    path_len = strcspn(target, "?");
    request->query = target[path_len] == '?' ? target + path_len + 1 : "";
    request->path[0] = '\0';
    if (path_len >= sizeof(request->path)) {
        return; /* longer than any route */
    }
    memcpy(request->path, path_len == 0 ? "/" : target,
           path_len == 0 ? 1 : path_len);
    path_len = path_len == 0 ? 1 : path_len;
    decoded = lb_text_percent_decode(request->path, path_len, false);
    request->path[decoded < 0 ? 0 : decoded] = '\0';
}

/* Behind a variable part of a pattern, which begins at `at`. */
static const char *skip_variable(const char *at)
{
    return *at == '*' ? at + strspn(at, "*") : at + strcspn(at, "}") + 1;
}

/* Matches path with pattern; the texts of its variable parts go to params, cut
 * in param_text. */
static bool matches(struct lb_http_request *request, const char *pattern)
{
    const char *path = request->path;
    size_t used = 0;
    size_t count = 0;

    for (;;) {
        size_t len;

        while (*pattern != '\0' && *pattern != '{' && *pattern != '*' &&
               *pattern == *path) {
            pattern++;
            path++;
        }
        if (*pattern != '{' && *pattern != '*') {
            return *pattern == *path; /* both at their end */
        }
        len = strcspn(path, "/");
        if (len == 0 || count == LB_HTTP_PARAMS) {
            return false;
        }
        memcpy(request->param_text + used, path, len);
        request->param_text[used + len] = '\0';
        request->params[count++] = request->param_text + used;
        used += len + 1;
        path += len;
        pattern = skip_variable(pattern);
    }
}

static bool is_method(const char *method, const char *wanted)
{
    return strcmp(method, wanted) == 0 ||
           (strcmp(wanted, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void add_allow(char *allow, const char *method)
{
    size_t len = strlen(allow);

    if (strstr(allow, method) != NULL ||
        len + strlen(method) + 16 > ALLOW_BYTES) {
        return;
    }
    if (len > 0) {
        memcpy(allow + len, ", ", 3);
        len += 2;
    }
    memcpy(allow + len, method, strlen(method) + 1);
    if (strcmp(method, "GET") == 0) {
        memcpy(allow + len + 3, ", HEAD", 7);
    }
}

static bool is_known_method(const char *method)
{
    static const char *const known[] = {"GET",     "HEAD",    "POST",
                                        "PUT",     "DELETE",  "PATCH",
                                        "OPTIONS", "CONNECT", "TRACE"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(method, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a route is the request's; else its method, where the path is right,
 * goes to allow. */
static bool try_route(struct lb_http_request *request,
                      const struct lb_http_route *route,
                      char *allow)
{
    if (is_method(lb_http_request_method(request), route->method)) {
        request->route = route;
        return true;
    }
    add_allow(allow, route->method);
    return false;
}

static bool is_fallback(struct lb_http_request *request)
{
    const struct lb_http_server *server = request->server;

    return server->fallback.pattern != NULL &&
           matches(request, server->fallback.pattern) &&
           server->fallback_takes(request, server->fallback.ctx);
}

bool lb_http_request_find_route(struct lb_http_request *request)
{
    const char *method = lb_http_request_method(request);
    char allow[ALLOW_BYTES] = "";

    for (struct lb_http_server_route *at = request->server->routes; at != NULL;
         at = at->next) {
        if (matches(request, at->route.pattern) &&
            try_route(request, &at->route, allow)) {
            return true;
        }
    }
    if (allow[0] == '\0' && is_fallback(request) &&
        try_route(request, &request->server->fallback, allow)) {
        return true;
    }
    if (!is_known_method(method)) {
        lb_http_respond_error_close(request, 501, "method_not_allowed",
                                    "This method is not known here.", NULL);
    } else if (allow[0] != '\0') {
        lb_http_respond_header(request, "Allow", allow);
        lb_http_respond_error(request, 405, "method_not_allowed",
                              "This path does not take this method.", allow);
    } else {
        lb_http_respond_error(request, 404, "not_found",
                              "There is nothing at this path.", NULL);
    }
    return false;
}

const char *lb_http_request_method(const struct lb_http_request *request)
{
    return lb_buf_text(&request->text) + request->head.method.at;
}

const char *lb_http_request_path(const struct lb_http_request *request)
{
    return request->path;
}

const char *lb_http_request_route(const struct lb_http_request *request)
{
    return request->route == NULL ? "none" : request->route->pattern;
}

const char *lb_http_request_host(const struct lb_http_request *request)
{
    return request->head.host.len == 0
               ? ""
               : request->text.data + request->head.host.at;
}

const char *lb_http_request_param(const struct lb_http_request *request,
                                  const char *name)
{
    const char *at = request->route->pattern;
    size_t len = strlen(name);

    for (size_t i = 0; i < LB_HTTP_PARAMS; i++) {
        at = strpbrk(at, "{*");
        if (at == NULL || request->params[i] == NULL) {
            break;
        }
        if (*at == '*'
                ? strcmp(name, LB_HTTP_PARAM_SECRET) == 0
                : strncmp(at + 1, name, len) == 0 && at[1 + len] == '}') {
            return request->params[i];
        }
        at = skip_variable(at);
    }
    return "";
}

/* The next field of that name from number *at on, which moves past it; NULL:
 * none. */
static const struct lb_http_parse_field *
next_field(const struct lb_http_request *request, const char *name, size_t *at)
{
    const struct lb_http_parse *head = &request->head;
    size_t len = strlen(name);

    while (*at < head->field_count) {
        const struct lb_http_parse_field *field = &head->fields[(*at)++];

        if (field->name.len == len &&
            strncasecmp(request->text.data + field->name.at, name, len) == 0) {
            return field;
        }
    }
    return NULL;
}

const char *lb_http_request_header(const struct lb_http_request *request,
                                   const char *name)
{
    size_t at = 0;
    const struct lb_http_parse_field *field = next_field(request, name, &at);

    return field == NULL ? NULL : request->text.data + field->value.at;
}

size_t lb_http_request_header_count(const struct lb_http_request *request,
                                    const char *name)
{
    size_t count = 0;
    size_t at = 0;

    while (next_field(request, name, &at) != NULL) {
        count++;
    }
    return count;
}

void lb_http_request_header_joined(const struct lb_http_request *request,
                                   const char *name,
                                   struct lb_buf *buf)
{
    const struct lb_http_parse_field *field;
    size_t at = 0;

    while ((field = next_field(request, name, &at)) != NULL) {
        if (buf->len > 0) {
            lb_buf_add_char(buf, ',');
        }
        lb_buf_add(buf, request->text.data + field->value.at, field->value.len);
    }
}

static void split_query(struct lb_http_request *request)
{
    size_t count = 1;
    char *at;

    if (request->part_text != NULL || request->query[0] == '\0') {
        return;
    }
    for (const char *c = request->query; *c != '\0'; c++) {
        count += *c == '&' ? 1 : 0;
    }
    request->part_text = strdup(request->query);
    request->parts = calloc(count, sizeof(*request->parts));
    at = request->parts == NULL ? NULL : request->part_text;
    while (at != NULL) {
        struct lb_http_query_part *part = &request->parts[request->part_count];
        char *next = strchr(at, '&');
        char *value;

        if (next != NULL) {
            *next++ = '\0';
        }
        value = strchr(at, '=');
        if (value != NULL) {
            *value++ = '\0';
            value[lb_text_percent_decode(value, strlen(value), true)] = '\0';
        }
        at[lb_text_percent_decode(at, strlen(at), true)] = '\0';
        part->key = at;
        part->value = value == NULL ? "" : value;
        request->part_count += at[0] == '\0' && value == NULL ? 0 : 1;
        at = next;
    }
}

const char *lb_http_request_query(struct lb_http_request *request,
                                  const char *key,
                                  size_t nth)
{
    split_query(request);
    for (size_t i = 0; i < request->part_count; i++) {
        if (strcmp(request->parts[i].key, key) == 0 && nth-- == 0) {
            return request->parts[i].value;
        }
    }
    return NULL;
}

size_t lb_http_request_query_count(struct lb_http_request *request)
{
    split_query(request);
    return request->part_count;
}

const char *lb_http_request_query_key(struct lb_http_request *request,
                                      size_t index)
{
    split_query(request);
    return index < request->part_count ? request->parts[index].key : "";
}

const char *lb_http_request_query_value(struct lb_http_request *request,
                                        size_t index)
{
    split_query(request);
    return index < request->part_count ? request->parts[index].value : "";
}

const char *lb_http_request_query_text(const struct lb_http_request *request)
{
    return request->query;
}

struct lb_buf *lb_http_request_body(struct lb_http_request *request)
{
    return &request->body;
}

void lb_http_request_drop_body(struct lb_http_request *request)
{
    lb_http_server_give_body(request);
}

int64_t lb_http_request_length(const struct lb_http_request *request)
{
    return request->head.is_chunked ? -1 : request->head.content_length;
}

void lb_http_request_hold(struct lb_http_request *request, size_t bytes)
{
    atomic_fetch_add(&request->server->inflight_bytes, bytes - request->held);
    request->held = bytes;
}

size_t lb_http_request_all_held(const struct lb_http_request *request)
{
    return atomic_load(&request->server->inflight_bytes);
}

const struct sockaddr *
lb_http_request_peer(const struct lb_http_request *request)
{
    return (const struct sockaddr *)&request->peer;
}

bool lb_http_request_is_local(const struct lb_http_request *request)
{
    return request->is_local;
}

bool lb_http_request_is_gone(const struct lb_http_request *request)
{
    return request->conn == NULL;
}

void lb_http_request_tell_gone(struct lb_http_request *request,
                               atomic_bool *flag)
{
    request->gone_flag = flag;
    if (flag != NULL && request->conn == NULL) {
        atomic_store(flag, true);
    }
}

bool lb_http_request_is_draining(const struct lb_http_request *request)
{
    return request->server->is_draining;
}

bool lb_http_request_is_head(const struct lb_http_request *request)
{
    return request->is_head;
}

void lb_http_request_set_user(struct lb_http_request *request,
                              void *user,
                              void (*free_fn)(void *))
{
    request->user = user;
    request->free_user = free_fn;
}

void *lb_http_request_user(const struct lb_http_request *request)
{
    return request->user;
}
