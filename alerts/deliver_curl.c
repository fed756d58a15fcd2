/* deliver_curl.c - libcurl's multi interface on the loop. */
#include "alerts/deliver_curl.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "alerts/address.h"
#include "base/clock.h"

#define EXCERPT_BYTES 512
#define CONNECT_MAX_MS 10000
#define HEADER_MAX_BYTES 16384

struct deliver_curl {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    const char *allowed[LB_CONFIG_LIST_MAX]; /* owned texts */
    size_t allowed_count;
    char proxy[LB_CONFIG_TEXT_BYTES];
    char ca_file[LB_CONFIG_TEXT_BYTES];
    size_t answer_max;
    struct transfer *transfers; /* owned; under way */
    bool is_stopped;
};

struct transfer {
    struct transfer *next;
    struct deliver_curl *owner;
    CURL *easy;
    struct curl_slist *headers; /* owned */
    char *body;                 /* owned */
    deliver_curl_fn done;
    void *ctx;
    bool is_plain;   /* http: only to allowed networks */
    bool is_blocked; /* the address was refused */
    size_t header_bytes;
    size_t answer_bytes;
    int64_t retry_after_s;
    char excerpt[EXCERPT_BYTES + 1];
    size_t excerpt_bytes;
};

/* A descriptor that libcurl watches. */
struct watch {
    uv_poll_t poll;
    struct deliver_curl *owner;
    curl_socket_t socket;
};

static void release_transfer(struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        (void)curl_multi_remove_handle(transfer->owner->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    free(transfer->body);
    free(transfer);
}

static void free_transfer(struct transfer *transfer)
{
    struct transfer **at = &transfer->owner->transfers;

    while (*at != NULL && *at != transfer) {
        at = &(*at)->next;
    }
    if (*at == transfer) {
        *at = transfer->next;
    }
    release_transfer(transfer);
}

/* libcurl's codes in words that stay. */
static const char *error_name(const struct transfer *transfer, CURLcode code)
{
    if (transfer->is_blocked) {
        return "blocked_address";
    }
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "dns_failed";
    case CURLE_COULDNT_CONNECT:
        return "connect_refused";
    case CURLE_OPERATION_TIMEDOUT:
        return "timeout";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
        return "tls_invalid";
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
        return "reset";
    case CURLE_WRITE_ERROR:
        return "body_too_large";
    default:
        return "bad_response";
    }
}

static int64_t timing(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;

    (void)curl_easy_getinfo(easy, info, &us);
    return us / 1000;
}

static void report(struct transfer *transfer, CURLcode code)
{
    struct deliver_curl_result result = {0};
    const char *address = NULL;
    long status = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &address);
    /* The status line decides; a body that never ends does not undo it. */
    result.status = (int)status;
    result.error =
        code == CURLE_OK || status >= 200 ? NULL : error_name(transfer, code);
    (void)snprintf(result.address, sizeof(result.address), "%s",
                   address == NULL ? "" : address);
    result.ms = timing(transfer->easy, CURLINFO_TOTAL_TIME_T);
    result.dns_ms = timing(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T);
    result.connect_ms = timing(transfer->easy, CURLINFO_CONNECT_TIME_T);
    result.tls_ms = timing(transfer->easy, CURLINFO_APPCONNECT_TIME_T);
    result.first_byte_ms =
        timing(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T);
    result.retry_after_s = transfer->retry_after_s;
    transfer->excerpt[transfer->excerpt_bytes] = '\0';
    result.excerpt = transfer->excerpt;
    transfer->done(transfer->ctx, &result);
    free_transfer(transfer);
}

static void read_finished(struct deliver_curl *curl)
{
    CURLMsg *message;
    int left = 0;

    while (!curl->is_stopped &&
           (message = curl_multi_info_read(curl->multi, &left)) != NULL) {
        char *transfer = NULL;

        if (message->msg == CURLMSG_DONE) {
            CURLcode code = message->data.result;

            (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                                    &transfer);
            report((struct transfer *)(void *)transfer, code);
        }
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct deliver_curl *curl = timer->data;
    int running = 0;

    (void)curl_multi_socket_action(curl->multi, CURL_SOCKET_TIMEOUT, 0,
                                   &running);
    read_finished(curl);
}

static int set_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct deliver_curl *curl = ctx;

    (void)multi;
    if (curl->is_stopped) {
        return 0;
    }
    if (timeout_ms < 0) {
        (void)uv_timer_stop(&curl->timer);
    } else {
        (void)uv_timer_start(&curl->timer, on_timer,
                             timeout_ms == 0 ? 1 : (uint64_t)timeout_ms, 0);
    }
    return 0;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct deliver_curl *curl = watch->owner;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) |
                (status < 0 ? CURL_CSELECT_ERR : 0);
    int running = 0;

    (void)curl_multi_socket_action(curl->multi, watch->socket, flags, &running);
    read_finished(curl);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static int watch_socket(
    CURL *easy, curl_socket_t socket, int what, void *ctx, void *socket_ctx)
{
    struct deliver_curl *curl = ctx;
    struct watch *watch = socket_ctx;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) |
                 (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            (void)uv_poll_stop(&watch->poll);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
            (void)curl_multi_assign(curl->multi, socket, NULL);
        }
        return 0;
    }
    if (watch == NULL) {
        watch = calloc(1, sizeof(*watch));
        if (watch == NULL ||
            uv_poll_init_socket(curl->loop, &watch->poll, socket) != 0) {
            free(watch);
            return -1;
        }
        watch->poll.data = watch;
        watch->owner = curl;
        watch->socket = socket;
        (void)curl_multi_assign(curl->multi, socket, watch);
    }
    (void)uv_poll_start(&watch->poll, events, on_poll);
    return 0;
}

/* Sees every address that libcurl is about to connect to. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = ctx;
    bool is_allowed = address_is_in(&address->addr, transfer->owner->allowed,
                                    transfer->owner->allowed_count);

    (void)purpose;
    if (!is_allowed &&
        (transfer->is_plain || address_is_refused(&address->addr))) {
        transfer->is_blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    size_t room = EXCERPT_BYTES - transfer->excerpt_bytes;

    memcpy(transfer->excerpt + transfer->excerpt_bytes, bytes,
           len < room ? len : room);
    transfer->excerpt_bytes += len < room ? len : room;
    transfer->answer_bytes += len;
    return transfer->answer_bytes > transfer->owner->answer_max ? 0 : len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;

    transfer->header_bytes += len;
    if (len > 12 && strncasecmp(bytes, "Retry-After:", 12) == 0) {
        char text[32];
        size_t used = len - 12 < sizeof(text) - 1 ? len - 12 : sizeof(text) - 1;

        memcpy(text, bytes + 12, used);
        text[used] = '\0';
        transfer->retry_after_s = strtol(text, NULL, 10);
    }
    return transfer->header_bytes > HEADER_MAX_BYTES ? 0 : len;
}

static struct curl_slist *make_headers(const struct lb_buf *lines)
{
    struct curl_slist *list =
        curl_slist_append(NULL, "Content-Type: application/json");
    const char *line = lb_buf_text(lines);

    list = curl_slist_append(list, "Accept: application/json");
    list = curl_slist_append(list, "Expect:");
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        char text[1024];

        if (len < sizeof(text)) {
            memcpy(text, line, len);
            text[len] = '\0';
            list = curl_slist_append(list, text);
        }
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    return list;
}

static void set_options(struct transfer *transfer,
                        const char *url,
                        size_t body_len,
                        int64_t timeout_ms)
{
    struct deliver_curl *curl = transfer->owner;
    CURL *easy = transfer->easy;
    long connect_ms =
        timeout_ms < CONNECT_MAX_MS ? (long)timeout_ms : CONNECT_MAX_MS;

    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)body_len);
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body);
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT,
                           "linkbell/" LINKBELL_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                           (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, curl->proxy);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, 60L);
    if (curl->ca_file[0] != '\0') {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, curl->ca_file);
    }
}

enum lb_err deliver_curl_post(struct deliver_curl *curl,
                              const struct deliver_curl_request *request,
                              deliver_curl_fn done,
                              void *ctx,
                              struct lb_error *err)
{
    struct transfer *transfer = calloc(1, sizeof(*transfer));

    if (transfer == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    transfer->owner = curl;
    transfer->done = done;
    transfer->ctx = ctx;
    transfer->is_plain = strncmp(request->url, "https://", 8) != 0;
    transfer->headers = make_headers(request->headers);
    transfer->body = strdup(lb_buf_text(request->body));
    transfer->easy = curl_easy_init();
    if (transfer->headers == NULL || transfer->body == NULL ||
        transfer->easy == NULL) {
        free_transfer(transfer);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    set_options(transfer, request->url, request->body->len,
                request->timeout_ms);
    transfer->next = curl->transfers;
    curl->transfers = transfer;
    if (curl_multi_add_handle(curl->multi, transfer->easy) != CURLM_OK) {
        free_transfer(transfer);
        return lb_err_set(err, LB_EINTERNAL,
                          "libcurl took no further transfer");
    }
    return LB_OK;
}

enum lb_err deliver_curl_new(uv_loop_t *loop,
                             const struct lb_config *config,
                             struct deliver_curl **curl_out,
                             struct lb_error *err)
{
    struct deliver_curl *curl = calloc(1, sizeof(*curl));

    *curl_out = NULL;
    if (curl == NULL || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (curl->multi = curl_multi_init()) == NULL) {
        free(curl);
        return lb_err_set(err, LB_ENOMEM, "libcurl can't be started");
    }
    curl->loop = loop;
    curl->answer_max = (size_t)config->response_limit_bytes;
    (void)snprintf(curl->proxy, sizeof(curl->proxy), "%s", config->proxy);
    (void)snprintf(curl->ca_file, sizeof(curl->ca_file), "%s", config->ca_file);
    for (size_t i = 0; i < config->allow_addresses.count; i++) {
        curl->allowed[curl->allowed_count] =
            strdup(config->allow_addresses.values[i]);
        curl->allowed_count +=
            curl->allowed[curl->allowed_count] == NULL ? 0 : 1;
    }
    (void)uv_timer_init(loop, &curl->timer);
    curl->timer.data = curl;
    (void)curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_MAX_HOST_CONNECTIONS, 4L);
    *curl_out = curl;
    return LB_OK;
}

void deliver_curl_stop(struct deliver_curl *curl)
{
    struct transfer *transfer;

    curl->is_stopped = true;
    while ((transfer = curl->transfers) != NULL) {
        curl->transfers = transfer->next;
        release_transfer(transfer);
    }
    (void)curl_multi_cleanup(curl->multi);
    curl->multi = NULL;
    uv_close((uv_handle_t *)&curl->timer, NULL);
}

void deliver_curl_free(struct deliver_curl *curl)
{
    if (curl == NULL) {
        return;
    }
    for (size_t i = 0; i < curl->allowed_count; i++) {
        char *text;

        memcpy(&text, &curl->allowed[i], sizeof(text));
        free(text);
    }
    free(curl);
}

const char *deliver_curl_version(void)
{
    return curl_version();
}
