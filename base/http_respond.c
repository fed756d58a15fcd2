/* http_respond.c - answers: status line, fields, body, whole or in chunks. */
#include "base/http_respond.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/http_server_conn.h"
#include "base/json.h"

/* On every answer that does not set them itself. */
static const char *const common_lines[] = {
    "X-Content-Type-Options: nosniff\r\n",
    "Referrer-Policy: no-referrer\r\n",
    "X-Frame-Options: DENY\r\n",
    "Cross-Origin-Opener-Policy: same-origin\r\n",
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n",
    "Cache-Control: no-store\r\n"};

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {302, "Found"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {417, "Expectation Failed"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"}};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

void lb_http_respond_header(struct lb_http_request *request,
                            const char *name,
                            const char *value)
{
    struct lb_buf *extra = &request->extra;

    if (lb_buf_reserve(extra, strlen(name) + strlen(value) + 4) != LB_OK) {
        return; /* no half a line */
    }
    lb_buf_add_text(extra, name);
    lb_buf_add_text(extra, ": ");
    for (; *value != '\0'; value++) {
        bool is_control = (unsigned char)*value < 0x20 || *value == 0x7f;

        lb_buf_add(extra, is_control ? " " : value, 1);
    }
    lb_buf_add_text(extra, "\r\n");
}

/* Where this request's bytes go: to the wire's buffer when it is its turn. */
static struct lb_buf *out_of(struct lb_http_request *request)
{
    struct lb_http_conn *conn = request->conn;

    return conn != NULL && conn->first == request ? &conn->out : &request->out;
}

static void add_field(struct lb_buf *out, const char *name, const char *value)
{
    lb_buf_add_text(out, name);
    lb_buf_add_text(out, ": ");
    lb_buf_add_text(out, value);
    lb_buf_add_text(out, "\r\n");
}

/* RFC 9110, 6.6.1; made once a second.  The names are those of the C locale:
 * nobody sets another. */
static const char *date_of(struct lb_http_server *server)
{
    time_t now_s = (time_t)(lb_clock_wall_ms() / LB_MS_PER_S);
    struct tm tm;

    if (server->date_at_s != now_s && gmtime_r(&now_s, &tm) != NULL &&
        strftime(server->date, sizeof(server->date),
                 "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0) {
        server->date_at_s = now_s;
    }
    return server->date;
}

/* Whether lines holds a field of that line's name. */
static bool has_field(const char *lines, const char *line)
{
    size_t len = strcspn(line, ":") + 1;

    while (*lines != '\0') {
        if (strncmp(lines, line, len) == 0) {
            return true;
        }
        lines += strcspn(lines, "\n");
        lines += *lines == '\n' ? 1 : 0;
    }
    return false;
}

static void add_head(struct lb_http_request *request,
                     struct lb_buf *out,
                     int status,
                     const char *content_type)
{
    const char *extra = lb_buf_text(&request->extra);

    request->status = status;
    lb_buf_add_text(out, "HTTP/1.1 ");
    lb_buf_add_int(out, status);
    lb_buf_add_char(out, ' ');
    lb_buf_add_text(out, reason_of(status));
    lb_buf_add_text(out, "\r\n");
    add_field(out, "Date", date_of(request->server));
    for (size_t i = 0; i < sizeof(common_lines) / sizeof(common_lines[0]);
         i++) {
        if (extra[0] == '\0' || !has_field(extra, common_lines[i])) {
            lb_buf_add_text(out, common_lines[i]);
        }
    }
    if (content_type != NULL) {
        add_field(out, "Content-Type", content_type);
    }
    lb_buf_add(out, extra, request->extra.len);
    if (request->is_closing) {
        add_field(out, "Connection", "close");
    } else if (request->head.minor_version == 0) {
        add_field(out, "Connection", "keep-alive");
    }
}

/* The answer is complete: it goes out when its turn comes. */
static void finish(struct lb_http_request *request)
{
    struct lb_http_conn *conn = request->conn;

    request->is_answered = true;
    if (conn == NULL) {
        lb_http_server_give_request(request);
        return;
    }
    if (request->is_closing && request == conn->last) {
        conn->state = conn->state == LB_HTTP_CONN_LINGER ? conn->state
                                                         : LB_HTTP_CONN_DEAF;
        conn->deadline_at_ms = 0;
    }
    lb_http_server_conn_mark(conn);
}

void lb_http_respond(struct lb_http_request *request,
                     int status,
                     const char *content_type,
                     const char *body,
                     size_t len)
{
    struct lb_buf *out = out_of(request);

    if (request->conn != NULL) {
        add_head(request, out, status, content_type);
        if (status != 204 && status != 304) {
            lb_buf_add_text(out, "Content-Length: ");
            lb_buf_add_int(out, (int64_t)len);
            lb_buf_add_text(out, "\r\n");
        }
        lb_buf_add_text(out, "\r\n");
        if (!request->is_head && status != 204 && status != 304) {
            lb_buf_add(out, body, len);
            request->answer_bytes = len;
        }
    }
    finish(request);
}

void lb_http_respond_json(struct lb_http_request *request,
                          int status,
                          const struct lb_buf *body)
{
    lb_http_respond(request, status, "application/json", lb_buf_text(body),
                    body->len);
}

void lb_http_respond_error(struct lb_http_request *request,
                           int status,
                           const char *code,
                           const char *message,
                           const char *hint)
{
    struct lb_buf body;

    lb_buf_init(&body, 8192);
    lb_buf_add_text(&body, "{\"error\":{\"code\":");
    lb_json_add_string(&body, code);
    lb_buf_add_text(&body, ",\"message\":");
    lb_json_add_string(&body, message);
    lb_buf_add_text(&body, ",\"hint\":");
    lb_json_add_string(&body, hint);
    lb_buf_add_text(&body, "}}");
    lb_http_respond_json(request, status, &body);
    lb_buf_deinit(&body);
}

void lb_http_respond_error_close(struct lb_http_request *request,
                                 int status,
                                 const char *code,
                                 const char *message,
                                 const char *hint)
{
    request->is_closing = true;
    lb_http_respond_error(request, status, code, message, hint);
}

void lb_http_respond_begin(struct lb_http_request *request,
                           int status,
                           const char *content_type,
                           void (*on_drain)(void *ctx),
                           void *ctx)
{
    struct lb_buf *out = out_of(request);

    request->is_streaming = true;
    request->on_drain = on_drain;
    request->drain_ctx = ctx;
    request->is_chunked_out = request->head.minor_version == 1;
    if (!request->is_chunked_out) {
        request->is_closing = true;
    }
    if (request->conn == NULL) {
        return;
    }
    add_head(request, out, status, content_type);
    lb_buf_add_text(out, request->is_chunked_out
                             ? "Transfer-Encoding: chunked\r\n\r\n"
                             : "\r\n");
    lb_http_server_conn_mark(request->conn);
}

bool lb_http_respond_write(struct lb_http_request *request,
                           const char *bytes,
                           size_t len)
{
    struct lb_http_conn *conn = request->conn;
    struct lb_buf *out = out_of(request);

    if (conn == NULL || len == 0 || request->is_head) {
        return conn != NULL;
    }
    if (request->is_chunked_out) {
        lb_buf_printf(out, "%zx\r\n", len);
    }
    lb_buf_add(out, bytes, len);
    if (request->is_chunked_out) {
        lb_buf_add_text(out, "\r\n");
    }
    request->answer_bytes += len;
    lb_http_server_conn_mark(conn);
    return out->len < LB_HTTP_OUT_HIGH && !conn->is_writing;
}

void lb_http_respond_end(struct lb_http_request *request)
{
    if (request->conn != NULL && request->is_chunked_out && !request->is_head) {
        lb_buf_add_text(out_of(request), "0\r\n\r\n");
    }
    finish(request);
}

void lb_http_respond_abort(struct lb_http_request *request)
{
    struct lb_http_conn *conn = request->conn;

    request->is_answered = true;
    if (conn == NULL) {
        lb_http_server_give_request(request);
        return;
    }
    lb_http_server_conn_close(conn);
}
