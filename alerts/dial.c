/* dial.c - connections for destinations that do not speak HTTP. */
#include "alerts/dial.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/address.h"
#include "base/clock.h"

#define URL_BYTES 512

struct dials {
    struct address_list allowed;
    char proxy[LB_CONFIG_TEXT_BYTES];
    char ca_file[LB_CONFIG_TEXT_BYTES];
};

struct dial {
    const struct dials *dials;
    CURL *easy; /* owned */
    curl_socket_t socket;
    int64_t until_ms; /* monotonic */
    bool is_plain;
    bool is_blocked;
};

enum lb_err dials_new(const struct lb_config *config,
                      struct dials **dials_out,
                      struct lb_error *err)
{
    struct dials *dials = calloc(1, sizeof(*dials));

    *dials_out = dials;
    if (dials == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (void)snprintf(dials->proxy, sizeof(dials->proxy), "%s", config->proxy);
    (void)snprintf(dials->ca_file, sizeof(dials->ca_file), "%s",
                   config->ca_file);
    address_list_copy(&dials->allowed, &config->allow_addresses);
    return LB_OK;
}

void dials_free(struct dials *dials)
{
    if (dials != NULL) {
        address_list_deinit(&dials->allowed);
        free(dials);
    }
}

static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct dial *dial = ctx;
    bool is_listed;

    (void)purpose;
    if (!address_may_be_called(&dial->dials->allowed, &address->addr,
                               dial->is_plain, &is_listed)) {
        dial->is_blocked = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

static long time_left_ms(const struct dial *dial)
{
    int64_t left_ms = dial->until_ms - lb_clock_mono_ms();

    return left_ms < 1 ? 1 : (long)left_ms;
}

static void set_options(struct dial *dial, const char *url)
{
    CURL *easy = dial->easy;

    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION,
                           (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_PROXY, dial->dials->proxy);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL,
                           dial->dials->proxy[0] == '\0' ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, time_left_ms(dial));
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, dial);
    if (dial->dials->ca_file[0] != '\0') {
        (void)curl_easy_setopt(easy, CURLOPT_CAINFO, dial->dials->ca_file);
    }
}

static enum lb_err dial_connect(struct dial *dial, struct lb_error *err)
{
    CURLcode code = curl_easy_perform(dial->easy);

    if (code != CURLE_OK && dial->is_blocked) {
        return lb_err_set(err, LB_EFORBIDDEN,
                          "its address is not public; name its network in "
                          "delivery.allow_addresses");
    }
    if (code != CURLE_OK ||
        curl_easy_getinfo(dial->easy, CURLINFO_ACTIVESOCKET, &dial->socket) !=
            CURLE_OK ||
        dial->socket == CURL_SOCKET_BAD) {
        return lb_err_set(err, LB_ENET, "it can't be connected to: %s",
                          curl_easy_strerror(code));
    }
    return LB_OK;
}

enum lb_err dial_open(const struct dials *dials,
                      const struct dial_place *place,
                      int64_t timeout_ms,
                      struct dial **dial_out,
                      struct lb_error *err)
{
    struct dial *dial = calloc(1, sizeof(*dial));
    char url[URL_BYTES];
    enum lb_err rc;

    *dial_out = NULL;
    if (dial == NULL || (dial->easy = curl_easy_init()) == NULL) {
        free(dial);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    dial->dials = dials;
    dial->is_plain = !place->is_tls;
    dial->until_ms = lb_clock_mono_ms() + timeout_ms;
    (void)snprintf(url, sizeof(url), "%s://%.300s:%u/",
                   place->is_tls ? "https" : "http", place->host, place->port);
    set_options(dial, url);
    rc = dial_connect(dial, err);
    if (rc != LB_OK) {
        dial_close(dial);
        return rc;
    }
    *dial_out = dial;
    return LB_OK;
}

void dial_close(struct dial *dial)
{
    if (dial != NULL) {
        curl_easy_cleanup(dial->easy);
        free(dial);
    }
}

static enum lb_err
wait_for(struct dial *dial, short events, struct lb_error *err)
{
    struct pollfd poll_fd = {dial->socket, events, 0};

    if (lb_clock_mono_ms() >= dial->until_ms ||
        poll(&poll_fd, 1, (int)time_left_ms(dial)) <= 0) {
        return lb_err_set(err, LB_ETIMEOUT, "it did not answer in time");
    }
    return LB_OK;
}

enum lb_err dial_send(struct dial *dial,
                      const char *bytes,
                      size_t len,
                      struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    while (len > 0 && rc == LB_OK) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(dial->easy, bytes, len, &sent);

        if (code == CURLE_AGAIN) {
            rc = wait_for(dial, POLLOUT, err);
        } else if (code != CURLE_OK) {
            rc = lb_err_set(err, LB_ENET, "the connection was closed");
        }
        bytes += sent;
        len -= sent;
    }
    return rc;
}

enum lb_err dial_receive(struct dial *dial,
                         char *out,
                         size_t cap,
                         size_t *len_out,
                         struct lb_error *err)
{
    CURLcode code;
    enum lb_err rc = LB_OK;

    *len_out = 0;
    while (rc == LB_OK &&
           (code = curl_easy_recv(dial->easy, out, cap, len_out)) != CURLE_OK) {
        rc = code == CURLE_AGAIN
                 ? wait_for(dial, POLLIN, err)
                 : lb_err_set(err, LB_ENET, "the connection was closed");
    }
    return rc == LB_OK && *len_out == 0
               ? lb_err_set(err, LB_ENET, "the connection was closed")
               : rc;
}
