/* test_http_server.c - the server on a loop of its own: answers that come
 * late, in pieces or not at all, and a process without descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/http_server_conn.h"

#define TURNS 400 /* of the loop; each lasts a tick at most */
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct world {
    uv_loop_t loop;
    struct lb_http_server *server;
    int port;
    int client;
    struct lb_buf got;            /* what the client read */
    struct lb_http_request *owed; /* taken, not answered */
    bool has_end;                 /* the client saw the connection's end */
    bool is_drained;
    unsigned pieces;
    unsigned answered; /* as the hook was told */
    char route[64];    /* likewise */
};

static void keep(struct lb_http_request *request, void *ctx)
{
    struct world *world = ctx;

    world->owed = request;
}

static void abort_answer(struct lb_http_request *request, void *ctx)
{
    (void)ctx;
    lb_http_respond_abort(request);
}

static void add_fields(struct lb_http_request *request, void *ctx)
{
    static char value[17 * 1024];
    (void)ctx;

    memset(value, 'x', sizeof(value) - 1);
    lb_http_respond_header(request, "X-First", "a\r\nb\x7f");
    lb_http_respond_header(request, "X-Endless", value);
    lb_http_respond(request, 204, NULL, "", 0);
}

static void tell_parts(struct lb_http_request *request, void *ctx)
{
    char text[128];
    int len = snprintf(text, sizeof(text), "source=%s secret=%s none=%s.",
                       lb_http_request_param(request, "source"),
                       lb_http_request_param(request, LB_HTTP_PARAM_SECRET),
                       lb_http_request_param(request, "sourc"));
    (void)ctx;

    lb_http_respond(request, 200, "text/plain", text, (size_t)len);
}

/* Ends a stream whose peer left. */
static void on_drain(void *ctx)
{
    struct world *world = ctx;

    if (world->owed != NULL && lb_http_request_is_gone(world->owed)) {
        struct lb_http_request *request = world->owed;

        world->owed = NULL;
        lb_http_respond_end(request);
    }
}

static void begin_stream(struct lb_http_request *request, void *ctx)
{
    struct world *world = ctx;

    world->owed = request;
    lb_http_respond_begin(request, 200, "text/plain", on_drain, world);
    assert_true(lb_http_respond_write(request, "one ", 4));
}

static void on_answered(void *ctx,
                        const char *method,
                        const char *route,
                        int status,
                        size_t bytes,
                        int64_t duration_ns)
{
    struct world *world = ctx;

    (void)method;
    (void)status;
    (void)bytes;
    (void)duration_ns;
    world->answered++;
    (void)snprintf(world->route, sizeof(world->route), "%s", route);
}

static void on_drained(void *ctx)
{
    struct world *world = ctx;

    world->is_drained = true;
}

static int set_up(void **state)
{
    static struct world world;
    const struct lb_http_server_limits limits = {
        1024, 4096, 20, 5000, 5000, 5000, 5000, 4096, 10, 0, 4, 65536};
    const struct lb_http_server_hooks hooks = {&world, on_answered, NULL};
    const struct lb_http_route routes[] = {
        {"GET", "/keep", NULL, keep, &world, 0},
        {"GET", "/stream", NULL, begin_stream, &world, 0},
        {"GET", "/abort", NULL, abort_answer, &world, 0},
        {"POST", "/abort", abort_answer, keep, &world, 0},
        {"GET", "/fields", NULL, add_fields, &world, 0},
        {"GET", "/in/{source}/***", NULL, tell_parts, &world, 0},
        {"GET", "/in/{source}", NULL, tell_parts, &world, 0},
    };
    struct lb_error err = {LB_OK, ""};

    memset(&world, 0, sizeof(world));
    world.client = -1;
    lb_buf_init(&world.got, (size_t)1024 * 1024);
    assert_int_equal(uv_loop_init(&world.loop), 0);
    assert_int_equal(
        lb_http_server_new(&world.loop, &limits, &hooks, &world.server, &err),
        LB_OK);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        assert_int_equal(
            lb_http_server_add_route(world.server, &routes[i], &err), LB_OK);
    }
    assert_int_equal(
        lb_http_server_listen(world.server, "127.0.0.1", 0, &world.port, &err),
        LB_OK);
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    if (world->client >= 0) {
        (void)close(world->client);
    }
    if (!world->is_drained) {
        lb_http_server_drain(world->server, 0, on_drained, world);
    }
    (void)uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_true(world->is_drained);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    lb_http_server_free(world->server);
    lb_buf_deinit(&world->got);
    return 0;
}

/* Connects the client, and sends what it asks. */
static void ask(struct world *world, const char *request)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)world->port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    world->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(world->client >= 0);
    assert_int_equal(
        connect(world->client, (struct sockaddr *)&address, sizeof(address)),
        0);
    assert_int_equal(send(world->client, request, strlen(request), 0),
                     (ssize_t)strlen(request));
}

/* One turn of the loop, then what the client got by it. */
static void turn(struct world *world)
{
    char bytes[4096];
    ssize_t got;

    (void)uv_run(&world->loop, UV_RUN_ONCE);
    if (world->client < 0) {
        return;
    }
    got = recv(world->client, bytes, sizeof(bytes), MSG_DONTWAIT);
    world->has_end = world->has_end || got == 0;
    if (got > 0) {
        lb_buf_add(&world->got, bytes, (size_t)got);
    }
}

static void wait_for_text(struct world *world, const char *text)
{
    for (int i = 0; i < TURNS; i++) {
        if (strstr(lb_buf_text(&world->got), text) != NULL) {
            return;
        }
        turn(world);
    }
    fail_msg("\"%s\" did not come: %s", text, lb_buf_text(&world->got));
}

static void wait_for_end(struct world *world)
{
    for (int i = 0; i < TURNS && !world->has_end; i++) {
        turn(world);
    }
    assert_true(world->has_end);
}

static void wait_for_request(struct world *world)
{
    for (int i = 0; i < TURNS && world->owed == NULL; i++) {
        turn(world);
    }
    assert_non_null(world->owed);
}

/* The client closes, and the server notices. */
static void leave(struct world *world)
{
    (void)shutdown(world->client, SHUT_RDWR);
    (void)close(world->client);
    world->client = -1;
}

static void wait_for_connections(struct world *world, size_t count)
{
    for (int i = 0; i < TURNS; i++) {
        if (lb_http_server_connection_count(world->server) == count) {
            return;
        }
        turn(world);
    }
    fail_msg("%zu connections", lb_http_server_connection_count(world->server));
}

static void an_answer_may_come_later(void **state)
{
    struct world *world = *state;

    ask(world, GET("/keep") GET("/fields"));
    wait_for_request(world);
    assert_string_equal(lb_buf_text(&world->got), "");
    lb_http_respond(world->owed, 200, "text/plain", "late", 4);

    wait_for_text(world, "\r\n\r\nlate");
    wait_for_text(world, "HTTP/1.1 204 No Content\r\n");
    assert_int_equal(world->answered, 2);
}

static void a_path_is_told_by_its_pattern_and_its_parts(void **state)
{
    struct world *world = *state;

    ask(world, GET("/in/crm"));
    wait_for_text(world, "source=crm secret= none=.");
    assert_string_equal(world->route, "/in/{source}");
    leave(world);
    ask(world, GET("/in/c*m/s%7Be%2Acret"));
    wait_for_text(world, "source=c*m secret=s{e*cret none=.");

    assert_string_equal(world->route, "/in/{source}/***");
}

static void a_field_goes_out_whole_or_not_at_all(void **state)
{
    struct world *world = *state;

    ask(world, GET("/fields"));
    wait_for_text(world, "\r\n\r\n");

    assert_non_null(strstr(lb_buf_text(&world->got), "\r\nX-First: a  b \r\n"));
    assert_null(strstr(lb_buf_text(&world->got), "X-Endless"));
    assert_null(strstr(lb_buf_text(&world->got), "Content-Length"));
}

static void a_stream_goes_out_in_chunks(void **state)
{
    struct world *world = *state;

    ask(world, GET("/stream"));
    wait_for_text(world, "Transfer-Encoding: chunked\r\n\r\n4\r\none \r\n");
    (void)lb_http_respond_write(world->owed, "two", 3);
    lb_http_respond_end(world->owed);

    wait_for_text(world, "3\r\ntwo\r\n0\r\n\r\n");
    assert_int_equal(lb_http_server_connection_count(world->server), 1);
}

static void a_stream_to_http_1_0_ends_with_the_connection(void **state)
{
    struct world *world = *state;

    ask(world, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    wait_for_text(world, "Connection: close\r\n\r\none ");
    lb_http_respond_end(world->owed);

    wait_for_end(world);
    assert_null(strstr(lb_buf_text(&world->got), "chunked"));
}

static void an_answer_that_is_broken_off_ends_the_connection(void **state)
{
    struct world *world = *state;

    ask(world, GET("/stream"));
    wait_for_request(world);
    lb_http_respond_abort(world->owed);

    wait_for_end(world);
    assert_null(strstr(lb_buf_text(&world->got), "0\r\n\r\n"));
}

static void a_handler_may_break_off_at_once(void **state)
{
    static const char *const requests[] = {
        GET("/abort") GET("/abort"),
        "POST /abort HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
        "POST /abort HTTP/1.1\r\nHost: a\r\n\r\n"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        world->has_end = false;
        ask(world, requests[i]);
        wait_for_end(world);
        leave(world);
        wait_for_connections(world, 0);
        assert_null(world->owed);
        assert_string_equal(lb_buf_text(&world->got), "");
    }
}

static void an_answer_to_a_peer_that_left_goes_nowhere(void **state)
{
    struct world *world = *state;

    ask(world, GET("/keep"));
    wait_for_request(world);
    (void)setsockopt(world->client, SOL_SOCKET, SO_LINGER,
                     &(struct linger){1, 0}, sizeof(struct linger));
    (void)close(world->client);
    world->client = -1;
    wait_for_connections(world, 0);

    assert_true(lb_http_request_is_gone(world->owed));
    lb_http_respond(world->owed, 200, "text/plain", "late", 4);
    assert_int_equal(world->answered, 0);
}

static void a_stream_is_told_that_its_peer_left(void **state)
{
    struct world *world = *state;

    ask(world, GET("/stream"));
    wait_for_text(world, "one ");
    (void)setsockopt(world->client, SOL_SOCKET, SO_LINGER,
                     &(struct linger){1, 0}, sizeof(struct linger));
    (void)close(world->client);
    world->client = -1;
    wait_for_connections(world, 0);

    assert_null(world->owed);
}

static void draining_waits_for_an_answer_that_is_owed(void **state)
{
    struct world *world = *state;

    ask(world, GET("/keep"));
    wait_for_request(world);
    lb_http_server_drain(world->server, 60000, on_drained, world);
    turn(world);
    assert_false(world->is_drained);
    lb_http_respond(world->owed, 200, "text/plain", "late", 4);

    wait_for_end(world);
    assert_non_null(strstr(lb_buf_text(&world->got), "Connection: close"));
    leave(world);
    for (int i = 0; i < TURNS && !world->is_drained; i++) {
        turn(world);
    }
    assert_true(world->is_drained);
}

static void an_idle_connection_keeps_small_buffers(void **state)
{
    struct world *world = *state;
    const struct lb_http_conn *conn;
    char request[8192];

    (void)snprintf(request, sizeof(request),
                   GET("/fields") "GET /keep HTTP/1.1\r\nHost: a\r\nX: %4000d"
                                  "\r\n\r\n" GET("/fields"),
                   1);
    ask(world, request);
    wait_for_request(world);
    conn = world->server->conns;
    lb_http_respond(world->owed, 200, "text/plain", request, sizeof(request));
    for (int i = 0; i < TURNS && conn->first != NULL; i++) {
        turn(world);
    }
    assert_true(conn->out.cap > LB_HTTP_KEPT_BYTES ||
                conn->in.cap > LB_HTTP_KEPT_BYTES);

    for (int i = 0; i < TURNS && (conn->in.cap > LB_HTTP_KEPT_BYTES ||
                                  conn->out.cap > LB_HTTP_KEPT_BYTES);
         i++) {
        turn(world);
    }
    assert_true(conn->in.cap <= LB_HTTP_KEPT_BYTES);
    assert_true(conn->out.cap <= LB_HTTP_KEPT_BYTES);
    assert_false(world->has_end);
}

/* With libuv's own spare descriptor lost to another thread it would ask for
 * the connection without end. */
static void without_any_descriptor_the_loop_goes_on(void **state)
{
    struct world *world = *state;
    struct rlimit before;
    struct rlimit none;
    int plug;
    int next;

    ask(world, GET("/keep"));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    (void)close(world->loop.emfile_fd);
    world->loop.emfile_fd = -1;
    plug = dup(world->client);
    next = dup(world->client);
    (void)close(next);
    none = (struct rlimit){(rlim_t)next, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 3; i++) {
        turn(world);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    (void)close(plug);

    wait_for_end(world);
    assert_null(world->owed);
    leave(world);
    wait_for_connections(world, 0);
    for (int i = 0; i < TURNS && world->server->spare_fd < 0; i++) {
        turn(world);
    }
    assert_true(world->server->spare_fd >= 0);
    world->has_end = false;
    ask(world, GET("/fields"));
    wait_for_text(world, "HTTP/1.1 204 ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_may_come_later),
        TEST(a_path_is_told_by_its_pattern_and_its_parts),
        TEST(a_field_goes_out_whole_or_not_at_all),
        TEST(a_stream_goes_out_in_chunks),
        TEST(a_stream_to_http_1_0_ends_with_the_connection),
        TEST(an_answer_that_is_broken_off_ends_the_connection),
        TEST(a_handler_may_break_off_at_once),
        TEST(an_answer_to_a_peer_that_left_goes_nowhere),
        TEST(a_stream_is_told_that_its_peer_left),
        TEST(draining_waits_for_an_answer_that_is_owed),
        TEST(an_idle_connection_keeps_small_buffers),
        TEST(without_any_descriptor_the_loop_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
