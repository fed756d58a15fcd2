/* http_server_accept.c - new connections: who may come in, and how many. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/http_server_conn.h"

/* Connections past a limit that are told so at a time; further ones are closed
 * without a word, so that they can't take the last descriptors. */
#define REFUSALS 8

/* Without a descriptor libuv accepts and closes by one that it keeps for that.
 * When another thread was quicker to take this one, libuv would ask without
 * end, and the loop with it; then ours is given up. */
void lb_http_server_keep_spare(struct lb_http_server *server)
{
    server->is_starved = false;
    if (server->spare_fd < 0) {
        server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

void lb_http_server_conn_accept_failed(struct lb_http_listener *listener)
{
    struct lb_http_server *server = listener->server;

    server->is_starved = true;
    if (server->spare_fd >= 0) {
        (void)close(server->spare_fd);
        server->spare_fd = -1;
    }
}

static bool is_trusted_peer(struct lb_http_conn *conn)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    uv_os_fd_t fd = -1;

    if (uv_fileno(&conn->uv.handle, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) {
        return false;
    }
    return peer.uid == geteuid() || peer.uid == 0;
}

static bool is_same_address(const struct sockaddr_storage *a,
                            const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family) {
        return false;
    }
    if (a->ss_family == AF_INET) {
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    }
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

/* The limit that a new connection passes; NULL: none.  Those that are refused
 * take no place from others; the local socket has no limit, for whoever must
 * look after a service that is full. */
static const char *passed_limit(const struct lb_http_conn *conn)
{
    struct lb_http_server *server = conn->server;
    size_t count = 1;

    if (conn->is_local) {
        return NULL;
    }
    if (server->counted_count >= server->limits.connections) {
        return "connections";
    }
    if (server->limits.connections_per_ip == 0) {
        return NULL;
    }
    for (const struct lb_http_conn *at = server->conns; at != NULL;
         at = at->next) {
        count +=
            at->is_counted && is_same_address(&at->peer, &conn->peer) ? 1 : 0;
    }
    return count > server->limits.connections_per_ip ? "connections_per_ip"
                                                     : NULL;
}

static void add_conn(struct lb_http_server *server, struct lb_http_conn *conn)
{
    conn->next = server->conns;
    if (server->conns != NULL) {
        server->conns->before = conn;
    }
    server->conns = conn;
    server->conn_count++;
}

void lb_http_server_conn_accept(struct lb_http_listener *listener)
{
    struct lb_http_server *server = listener->server;
    struct lb_http_conn *conn = calloc(1, sizeof(*conn));
    int len = (int)sizeof(conn->peer);
    const char *limit;

    if (conn == NULL) {
        return;
    }
    conn->server = server;
    conn->is_local = listener->is_local;
    if (conn->is_local) {
        (void)uv_pipe_init(server->loop, &conn->uv.pipe, 0);
    } else {
        (void)uv_tcp_init(server->loop, &conn->uv.tcp);
    }
    conn->uv.handle.data = conn;
    lb_buf_init(&conn->in, SIZE_MAX / 2);
    lb_buf_init(&conn->out, SIZE_MAX / 2);
    lb_buf_init(&conn->writing, SIZE_MAX / 2);
    add_conn(server, conn);
    if (uv_accept(&listener->uv.stream, &conn->uv.stream) != 0 ||
        (conn->is_local && !is_trusted_peer(conn))) {
        lb_http_server_conn_close(conn);
        return;
    }
    if (!conn->is_local) {
        (void)uv_tcp_nodelay(&conn->uv.tcp, 1);
        (void)uv_tcp_getpeername(&conn->uv.tcp, (struct sockaddr *)&conn->peer,
                                 &len);
    }
    limit = server->is_starved ? "connections" : passed_limit(conn);
    if (limit == NULL) {
        conn->is_counted = !conn->is_local;
        server->counted_count += conn->is_counted ? 1 : 0;
        lb_http_server_conn_start(conn);
        return;
    }
    conn->is_refused = true;
    server->refused_count++;
    if (server->is_starved || server->refused_count > REFUSALS) {
        lb_http_server_limit_hit(server, limit);
        lb_http_server_conn_close(conn);
        lb_http_server_keep_spare(server);
    } else {
        lb_http_server_conn_refuse(conn, limit);
    }
}
