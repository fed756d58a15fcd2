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

#define BODY_KEPT_BYTES 4096 /* where the status decides */
#define HEADER_LINE_BYTES 128
#define WORD_BYTES 64 /* of a header that is kept */
#define CONNECT_MAX_MS 10000
#define HEADER_MAX_BYTES 16384
#define BODY_MAX_MS 1000 /* for a body that nobody needs */
#define LONG_ANSWER_BYTES ((size_t)4 * 1024 * 1024)
#define WAIT_MAX_S 86400 /* longest wait that an answer may ask for */

struct deliver_curl {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    uv_timer_t body_timer; /* ends answers whose body goes on and on */
    struct address_list allowed;
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
    int64_t answered_at_ms; /* monotonic; 0: no final status yet */
    size_t answer_bytes;
    size_t answer_max;
    bool needs_body;
    int64_t retry_after_ms;
    int64_t reset_after_ms;
    bool has_none_left; /* X-RateLimit-Remaining: 0 */
    int exception;
    char etag[WORD_BYTES];
    char region[WORD_BYTES];
    struct lb_buf answer;
    struct curl_slist *recipients; /* owned; of mail */
    size_t body_len;
    size_t sent_bytes; /* of a mail */
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
    curl_slist_free_all(transfer->recipients);
    lb_buf_deinit(&transfer->answer);
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

/* Whether there is a status to judge by.  A mail that was refused ends with an
 * error of libcurl; one is taken when the whole transfer went well. */
static bool
is_answer(const struct transfer *transfer, CURLcode code, long status)
{
    if (code == CURLE_OK) {
        return true;
    }
    if (transfer->recipients != NULL) {
        return status >= 400;
    }
    return status >= 200 && !transfer->needs_body;
}

static void report(struct transfer *transfer, CURLcode code)
{
    struct deliver_curl_result result = {0};
    const char *address = NULL;
    long status = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &address);
    /* Mostly the status line decides; a body that never ends does not undo it.
     */
    result.status = (int)status;
    result.error =
        is_answer(transfer, code, status) ? NULL : error_name(transfer, code);
    (void)snprintf(result.address, sizeof(result.address), "%s",
                   address == NULL ? "" : address);
    result.ms = timing(transfer->easy, CURLINFO_TOTAL_TIME_T);
    result.dns_ms = timing(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T);
    result.connect_ms = timing(transfer->easy, CURLINFO_CONNECT_TIME_T);
    result.tls_ms = timing(transfer->easy, CURLINFO_APPCONNECT_TIME_T);
    result.first_byte_ms =
        timing(transfer->easy, CURLINFO_STARTTRANSFER_TIME_T);
    result.retry_after_ms = transfer->retry_after_ms;
    result.reset_after_ms =
        transfer->has_none_left ? transfer->reset_after_ms : -1;
    result.exception = transfer->exception;
    result.etag = transfer->etag;
    result.region = transfer->region;
    result.body = lb_buf_text(&transfer->answer);
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
    bool is_listed;

    (void)purpose;
    if (!address_may_be_called(&transfer->owner->allowed, &address->addr,
                               transfer->is_plain, &is_listed)) {
        transfer->is_blocked = true;
        return CURL_SOCKET_BAD;
    }
    if (is_listed && transfer->recipients != NULL) {
        /* In a network that is ours a mail server may have no TLS. */
        (void)curl_easy_setopt(transfer->easy, CURLOPT_USE_SSL,
                               (long)CURLUSESSL_TRY);
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    size_t room = transfer->answer.max - transfer->answer.len;

    lb_buf_add(&transfer->answer, bytes, len < room ? len : room);
    transfer->answer_bytes += len;
    return transfer->answer_bytes > transfer->answer_max ? 0 : len;
}

/* Seconds, maybe with a fraction, as ms; -1 for anything else. */
static int64_t read_seconds(const char *text)
{
    char *end = NULL;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds >= 0)) {
        return -1;
    }
    return seconds > WAIT_MAX_S ? WAIT_MAX_S * LB_MS_PER_S
                                : (int64_t)(seconds * 1000 + 0.999);
}

/* RFC 9110, 10.2.3: seconds or a date. */
static int64_t read_retry_after(const char *text)
{
    int64_t ms = read_seconds(text);
    time_t at_s;

    if (ms >= 0) {
        return ms;
    }
    at_s = curl_getdate(text, NULL);
    if (at_s < 0) {
        return -1;
    }
    ms = (int64_t)at_s * LB_MS_PER_S - lb_clock_wall_ms();
    ms = ms < 0 ? 0 : ms;
    return ms > WAIT_MAX_S * LB_MS_PER_S ? WAIT_MAX_S * LB_MS_PER_S : ms;
}

/* A value without its quotes (and what says that an ETag is weak); nothing of
 * one that is longer. */
static void keep_word(const char *value, char out[WORD_BYTES])
{
    size_t len;

    value += strncmp(value, "W/", 2) == 0 ? 2 : 0;
    value += value[0] == '"' ? 1 : 0;
    len = strcspn(value, "\"");
    (void)snprintf(out, WORD_BYTES, "%.*s", len < WORD_BYTES ? (int)len : 0,
                   value);
}

/* The value of a header line that has that name; NULL when it has another. */
static const char *value_of(char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':') {
        return NULL;
    }
    line += len + 1;
    line += strspn(line, " \t");
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

/* One whose status has been known since before; NULL: none. */
static struct transfer *find_answered(const struct deliver_curl *curl,
                                      int64_t before_ms)
{
    struct transfer *transfer = curl->transfers;

    while (transfer != NULL && (transfer->answered_at_ms == 0 ||
                                transfer->answered_at_ms > before_ms)) {
        transfer = transfer->next;
    }
    return transfer;
}

/* Ends those whose body goes on; whoever is told may change the list. */
static void on_body_timer(uv_timer_t *timer)
{
    struct deliver_curl *curl = timer->data;
    int64_t before_ms = lb_clock_mono_ms() - BODY_MAX_MS;
    struct transfer *transfer;

    while (!curl->is_stopped &&
           (transfer = find_answered(curl, before_ms)) != NULL) {
        report(transfer, CURLE_OPERATION_TIMEDOUT);
    }
    if (!curl->is_stopped && find_answered(curl, INT64_MAX) != NULL) {
        (void)uv_timer_start(timer, on_body_timer, BODY_MAX_MS, 0);
    }
}

/* The headers are over: a status that is no interim one needs no body. */
static void note_answer(struct transfer *transfer)
{
    struct deliver_curl *curl = transfer->owner;
    long status = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->needs_body || status < 200 || transfer->recipients != NULL) {
        return;
    }
    transfer->answered_at_ms = lb_clock_mono_ms();
    if (!uv_is_active((uv_handle_t *)&curl->body_timer)) {
        (void)uv_timer_start(&curl->body_timer, on_body_timer, BODY_MAX_MS, 0);
    }
}

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = size * count;
    char line[HEADER_LINE_BYTES];
    const char *value;

    transfer->header_bytes += len;
    if (len == 2 && memcmp(bytes, "\r\n", 2) == 0) {
        note_answer(transfer);
    }
    if (len < sizeof(line)) {
        memcpy(line, bytes, len);
        line[len] = '\0';
        if ((value = value_of(line, "Retry-After")) != NULL) {
            transfer->retry_after_ms = read_retry_after(value);
        } else if ((value = value_of(line, "X-RateLimit-Remaining")) != NULL) {
            transfer->has_none_left = strcmp(value, "0") == 0;
        } else if ((value = value_of(line, "X-RateLimit-Reset-After")) !=
                   NULL) {
            transfer->reset_after_ms = read_seconds(value);
        } else if ((value = value_of(line, "X-ClickHouse-Exception-Code")) !=
                   NULL) {
            transfer->exception = (int)strtol(value, NULL, 10);
        } else if ((value = value_of(line, "ETag")) != NULL) {
            keep_word(value, transfer->etag);
        } else if ((value = value_of(line, "x-amz-bucket-region")) != NULL) {
            keep_word(value, transfer->region);
        }
    }
    return transfer->header_bytes > HEADER_MAX_BYTES ? 0 : len;
}

/* libcurl would sign a header that is left out as if it were sent, so a signed
 * request may have an `Expect`; see set_http. */
static struct curl_slist *make_headers(const struct lb_buf *lines,
                                       bool is_signed)
{
    struct curl_slist *list =
        curl_slist_append(NULL, "Accept: application/json");
    const char *line = lb_buf_text(lines);

    if (strstr(line, "Content-Type:") == NULL) {
        list = curl_slist_append(list, "Content-Type: application/json");
    }
    if (!is_signed) {
        list = curl_slist_append(list, "Expect:");
    }
    while (*line != '\0') {
        size_t len = strcspn(line, "\n");
        char text[4096];

        if (len < sizeof(text)) {
            memcpy(text, line, len);
            text[len] = '\0';
            list = curl_slist_append(list, text);
        }
        line += len + (line[len] == '\n' ? 1 : 0);
    }
    return list;
}

static size_t on_read(char *out, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    size_t len = transfer->body_len - transfer->sent_bytes;

    len = len < size * count ? len : size * count;
    memcpy(out, transfer->body + transfer->sent_bytes, len);
    transfer->sent_bytes += len;
    return len;
}

static void set_mail(struct transfer *transfer,
                     const struct deliver_curl_request *request)
{
    CURL *easy = transfer->easy;

    transfer->body_len = request->body->len;
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    (void)curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    (void)curl_easy_setopt(easy, CURLOPT_MAIL_FROM, request->mail_from);
    (void)curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, transfer->recipients);
    (void)curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
    (void)curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    if (request->user[0] != '\0') {
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
    }
}

static void set_http(struct transfer *transfer,
                     const struct deliver_curl_request *request)
{
    CURL *easy = transfer->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    if (strcmp(request->method, "GET") != 0) {
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE,
                               (long)request->body->len);
        (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->body);
        (void)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
    if (request->sigv4[0] != '\0' || request->has_login) {
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, request->user);
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, request->password);
    }
    if (request->sigv4[0] != '\0') {
        (void)curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, request->sigv4);
        (void)curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
    }
}

static char *copy_body(const struct lb_buf *body)
{
    char *copy = malloc(body->len + 1);

    if (copy != NULL) {
        memcpy(copy, lb_buf_text(body), body->len);
        copy[body->len] = '\0';
    }
    return copy;
}

static void set_options(struct transfer *transfer,
                        const struct deliver_curl_request *request)
{
    int64_t timeout_ms = request->timeout_ms;
    struct deliver_curl *curl = transfer->owner;
    CURL *easy = transfer->easy;
    long connect_ms =
        timeout_ms < CONNECT_MAX_MS ? (long)timeout_ms : CONNECT_MAX_MS;

    (void)curl_easy_setopt(easy, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)transfer);
    if (transfer->recipients != NULL) {
        set_mail(transfer, request);
    } else {
        set_http(transfer, request);
    }
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT,
                           "linkbell/" LINKBELL_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
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

enum lb_err deliver_curl_send(struct deliver_curl *curl,
                              const struct deliver_curl_request *request,
                              deliver_curl_fn done,
                              void *ctx,
                              struct lb_error *err)
{
    struct transfer *transfer =
        curl->is_stopped ? NULL : calloc(1, sizeof(*transfer));

    if (transfer == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory, or at its end");
    }
    transfer->owner = curl;
    transfer->needs_body = request->needs_body;
    transfer->retry_after_ms = -1;
    transfer->reset_after_ms = -1;
    transfer->answer_max =
        request->is_answer_long ? LONG_ANSWER_BYTES : curl->answer_max;
    lb_buf_init(&transfer->answer,
                request->needs_body ? transfer->answer_max : BODY_KEPT_BYTES);
    transfer->done = done;
    transfer->ctx = ctx;
    transfer->is_plain = request->mail_from[0] == '\0' &&
                         strncmp(request->url, "https://", 8) != 0;
    transfer->headers =
        make_headers(request->headers, request->sigv4[0] != '\0');
    if (request->mail_from[0] != '\0') {
        transfer->recipients = curl_slist_append(NULL, request->mail_to);
    }
    transfer->body = copy_body(request->body);
    transfer->easy = curl_easy_init();
    if (transfer->headers == NULL || transfer->body == NULL ||
        transfer->easy == NULL) {
        free_transfer(transfer);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    set_options(transfer, request);
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
    address_list_copy(&curl->allowed, &config->allow_addresses);
    (void)uv_timer_init(loop, &curl->timer);
    curl->timer.data = curl;
    (void)uv_timer_init(loop, &curl->body_timer);
    curl->body_timer.data = curl;
    (void)curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
    /* No limit by host: each destination has its own concurrency, and one that
     * hangs must not hold the places of others at the same service. */
    (void)curl_multi_setopt(curl->multi, CURLMOPT_MAXCONNECTS,
                            (long)config->max_in_flight);
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
    uv_close((uv_handle_t *)&curl->body_timer, NULL);
}

void deliver_curl_free(struct deliver_curl *curl)
{
    if (curl == NULL) {
        return;
    }
    address_list_deinit(&curl->allowed);
    free(curl);
}

const char *deliver_curl_version(void)
{
    return curl_version();
}
