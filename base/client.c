/* client.c - HTTP over the local socket, with libcurl. */
#include "base/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct transfer {
    const struct lb_client_request *request;
    struct lb_buf *answer;
    CURL *curl;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct transfer *transfer = ctx;
    long status = 0;

    (void)curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->request->on_body != NULL && status >= 200 && status < 300) {
        return transfer->request->on_body(transfer->request->ctx, bytes,
                                          size * count)
                   ? size * count
                   : 0;
    }
    lb_buf_add(transfer->answer, bytes, size * count);
    return transfer->answer->is_failed ? 0 : size * count;
}

static struct curl_slist *make_headers(const struct lb_client_request *request)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    char line[160];

    if (request->content_type != NULL) {
        (void)snprintf(line, sizeof(line), "Content-Type: %s",
                       request->content_type);
        headers = curl_slist_append(headers, line);
    }
    if (request->accept_encoding != NULL) {
        (void)snprintf(line, sizeof(line), "Accept-Encoding: %s",
                       request->accept_encoding);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

enum lb_err lb_client_send(const char *socket_path,
                           const struct lb_client_request *request,
                           int *status_out,
                           struct lb_buf *answer,
                           struct lb_error *err)
{
    struct transfer transfer = {request, answer, curl_easy_init()};
    struct curl_slist *headers = make_headers(request);
    char url[8192];
    enum lb_err rc = LB_OK;
    long status = 0;
    CURLcode code;

    *status_out = 0;
    if (transfer.curl == NULL || headers == NULL) {
        rc = lb_err_set(err, LB_ENOMEM, "out of memory");
        goto out;
    }
    if (snprintf(url, sizeof(url), "http://localhost%s", request->path) >=
        (int)sizeof(url)) {
        rc = lb_err_set(err, LB_EINVAL, "the request is too long");
        goto out;
    }
    (void)curl_easy_setopt(transfer.curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(transfer.curl, CURLOPT_UNIX_SOCKET_PATH,
                           socket_path);
    (void)curl_easy_setopt(transfer.curl, CURLOPT_CUSTOMREQUEST,
                           request->method);
    (void)curl_easy_setopt(transfer.curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(transfer.curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(transfer.curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(transfer.curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(transfer.curl, CURLOPT_WRITEDATA, &transfer);
    if (request->body != NULL) {
        (void)curl_easy_setopt(transfer.curl, CURLOPT_POSTFIELDSIZE_LARGE,
                               (curl_off_t)request->body->len);
        (void)curl_easy_setopt(transfer.curl, CURLOPT_POSTFIELDS,
                               lb_buf_text(request->body));
    }
    code = curl_easy_perform(transfer.curl);
    if (code != CURLE_OK) {
        rc = lb_err_set(err, LB_ENET, "the service did not answer on %s: %s",
                        socket_path, curl_easy_strerror(code));
    }
    (void)curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
    *status_out = (int)status;
out:
    curl_slist_free_all(headers);
    curl_easy_cleanup(transfer.curl);
    return rc;
}

bool lb_client_is_served(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;
    bool is_served;

    if (strlen(socket_path) >= sizeof(address.sun_path)) {
        return false;
    }
    memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    is_served = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return is_served;
}
