/* http_server_conn.h - one connection and its requests, inside the server. */
#ifndef LINKBELL_BASE_HTTP_SERVER_CONN_H
#define LINKBELL_BASE_HTTP_SERVER_CONN_H

#include <stdatomic.h>

#include "base/http_parse.h"
#include "base/http_server.h"

#define LB_HTTP_READ_BYTES ((size_t)64 * 1024)
#define LB_HTTP_SPARE_BODIES 4 /* a parser and the few that wait for it */
#define LB_HTTP_KEPT_BYTES                                                     \
    ((size_t)4096)              /* of a buffer of an idle connection */
#define LB_HTTP_REST_MS 1000    /* idle for so long it rests */
#define LB_HTTP_PATH_BYTES 1024 /* longer paths are no route */
#define LB_HTTP_PARAMS 4        /* {name}s of a pattern */
#define LB_HTTP_OUT_HIGH                                                       \
    ((size_t)256 * 1024) /* a streamed answer waits above it */
#define LB_HTTP_LINGER_BYTES ((size_t)256 * 1024)
#define LB_HTTP_LINGER_MS 1000
#define LB_HTTP_DATE_BYTES 30

struct lb_http_conn;

struct lb_http_query_part {
    const char *key;
    const char *value;
};

struct lb_http_request {
    struct lb_http_conn *conn; /* NULL: the peer is gone */
    struct lb_http_server *server;
    struct lb_http_request *next; /* in the connection's order, or the pool */
    const struct lb_http_route *route; /* NULL: none */
    struct lb_http_parse head;
    struct lb_buf text; /* the head's bytes, cut into texts */
    struct lb_buf body;
    struct lb_buf extra; /* header lines added to the answer */
    struct lb_buf out;   /* answer of a request whose turn has not come */
    char path[LB_HTTP_PATH_BYTES];
    const char *query; /* in text; "" */
    const char *params[LB_HTTP_PARAMS];
    char param_text[LB_HTTP_PATH_BYTES];
    struct lb_http_query_part *parts; /* owned */
    size_t part_count;
    char *part_text; /* owned */
    struct sockaddr_storage peer;
    bool is_local;
    bool is_head;
    bool is_complete; /* its body is there */
    bool is_handed;   /* its handler was called */
    bool is_answered; /* the whole answer stands in the buffers */
    bool is_streaming;
    bool is_chunked_out;
    bool is_closing; /* the connection closes after the answer */
    int status;
    size_t answer_bytes;
    int64_t began_at_ns;
    size_t inflight; /* body's bytes that count for the server's limit */
    size_t held;     /* further ones, of whoever works on the request */
    void (*on_drain)(void *ctx);
    void *drain_ctx;
    atomic_bool *gone_flag; /* borrowed; NULL: nobody is told */
    void *user;
    void (*free_user)(void *);
};

enum lb_http_conn_state {
    LB_HTTP_CONN_HEAD,   /* between requests, or within a head */
    LB_HTTP_CONN_BODY,   /* within a body */
    LB_HTTP_CONN_DEAF,   /* no further request is read */
    LB_HTTP_CONN_LINGER, /* answered and closing: input is dropped */
    LB_HTTP_CONN_CLOSED
};

struct lb_http_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct lb_http_server *server;
    struct lb_http_conn *next; /* all connections */
    struct lb_http_conn *before;
    struct lb_http_conn *next_dirty;
    enum lb_http_conn_state state;
    bool is_dirty;
    bool is_reading;
    bool is_local;
    bool has_eof;
    bool is_writing;
    bool is_counted; /* takes a place of limits.connections */
    bool is_refused; /* over a limit; only told so */
    struct sockaddr_storage peer;
    struct lb_buf in;      /* a head that is not complete, or what waits */
    struct lb_buf out;     /* to be written */
    struct lb_buf writing; /* owned by the write under way */
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct lb_http_request
        *first; /* in order; the last one may be incomplete */
    struct lb_http_request *last;
    size_t request_count;
    struct lb_http_parse_chunked chunked;
    int64_t body_left;
    int64_t deadline_at_ms; /* monotonic; of the present state; 0: none */
    int64_t write_deadline_at_ms;
    size_t untaken_bytes; /* of answers, when last looked at */
    bool is_closing;      /* closes when out is written */
    size_t linger_bytes;
    size_t empty_bytes; /* empty lines since the last request */
};

struct lb_http_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct lb_http_server *server;
    bool is_local;
    struct lb_http_listener *next;
};

struct lb_http_server_route {
    struct lb_http_route route;
    struct lb_http_server_route *next;
};

struct lb_http_server {
    uv_loop_t *loop;
    struct lb_http_server_limits limits;
    struct lb_http_server_hooks hooks;
    struct lb_http_listener *listeners;  /* owned */
    struct lb_http_server_route *routes; /* owned, in order of addition */
    struct lb_http_route fallback;       /* without a pattern: none */
    bool (*fallback_takes)(const struct lb_http_request *request, void *ctx);
    struct lb_http_conn *conns; /* owned */
    size_t conn_count;
    size_t counted_count; /* of them take a place */
    size_t refused_count; /* were refused, and wait for their end */
    struct lb_http_conn *dirty;
    struct lb_http_request *spare; /* owned; requests to use again */
    size_t spare_count;
    size_t spare_least; /* that it was since the last tick */
    /* Owned; for large bodies. */
    struct lb_buf spare_bodies[LB_HTTP_SPARE_BODIES];
    atomic_size_t inflight_bytes; /* any thread */
    int spare_fd;                 /* given up when there is no other; or -1 */
    bool is_starved; /* it was; the next connection is closed at once */
    uv_timer_t timer;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t idle; /* runs while something stands in a buffer */
    bool is_draining;
    int64_t drain_deadline_at_ms;
    void (*drained)(void *ctx);
    void *drained_ctx;
    int64_t date_at_s; /* what date says */
    char date[LB_HTTP_DATE_BYTES];
    char read_buffer[LB_HTTP_READ_BYTES];
};

/* Takes a connection from a listener. */
void lb_http_server_conn_accept(struct lb_http_listener *listener);
/* No descriptor was left for the next connection. */
void lb_http_server_conn_accept_failed(struct lb_http_listener *listener);
/* Opens the spare descriptor again, unless it is open. */
void lb_http_server_keep_spare(struct lb_http_server *server);
/* Begins to read; idle until something comes. */
void lb_http_server_conn_start(struct lb_http_conn *conn);
/* Answers 503 for the limit without reading, and closes. */
void lb_http_server_conn_refuse(struct lb_http_conn *conn, const char *limit);
/* Sets the deadline of the present state; 0: none. */
void lb_http_server_conn_deadline(struct lb_http_conn *conn, int64_t after_ms);
/* Something stands in the buffers: written when the loop turn ends. */
void lb_http_server_conn_mark(struct lb_http_conn *conn);
/* The peer closed its side: whoever asked is told. */
void lb_http_server_conn_tell_gone(struct lb_http_conn *conn);
void lb_http_server_conn_close(struct lb_http_conn *conn); /* at once */
/* Looks at the deadlines; now is monotonic. */
void lb_http_server_conn_tick(struct lb_http_conn *conn, int64_t now_ms);
/* For draining: closes a connection that has nothing in progress. */
void lb_http_server_conn_drain(struct lb_http_conn *conn);

/* In http_server_read.c. */
void lb_http_server_read_start(struct lb_http_conn *conn);
/* Goes on with what stands in the in buffer. */
void lb_http_server_read_on(struct lb_http_conn *conn);
/* Whether the peer must take answers before more of its requests are read. */
bool lb_http_server_is_full(const struct lb_http_conn *conn);
/* The next request of the connection; NULL: out of memory. */
struct lb_http_request *lb_http_server_begin_request(struct lb_http_conn *conn);
/* Answers an error and closes; limit (or NULL) is counted and named. */
void lb_http_server_refuse(struct lb_http_request *request,
                           int status,
                           const char *code,
                           const char *text,
                           const char *limit);

/* In http_server_write.c: moves answers that are due into the out buffer and
 * writes. */
void lb_http_server_conn_flush(struct lb_http_conn *conn);

/* A fresh request, or one from the pool; NULL: out of memory. */
struct lb_http_request *
lb_http_server_take_request(struct lb_http_server *server);
void lb_http_server_give_request(struct lb_http_request *request);
/* Forgets the body.  The memory of one large body is kept for the next: to map
 * it anew takes the system longer than reading it takes us. */
void lb_http_server_give_body(struct lb_http_request *request);
void lb_http_server_take_body(struct lb_http_request *request, int64_t length);
void lb_http_server_limit_hit(struct lb_http_server *server, const char *limit);
void lb_http_server_conn_gone(
    struct lb_http_conn *conn); /* closed: out of the list */

/* In http_request.c: cuts the parsed head into texts. */
void lb_http_request_read_head(struct lb_http_request *request);
/* Finds the route by method and path; false: an error was answered. */
bool lb_http_request_find_route(struct lb_http_request *request);

#endif
