/* client_pipe.c - several requests at a time, with libcurl's multi. */
#include "base/client_pipe.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PLACES_MAX 32
#define ANSWER_BYTES ((size_t)1024 * 1024)
#define POLL_MS 1000
#define PAUSE_US 50000 /* before a request is sent again */
#define URL_BYTES 512

struct place {
    CURL *curl; /* owned */
    struct lb_buf body;
    struct lb_buf answer;
    size_t tag;
    bool is_busy;
};

struct lb_client_pipe {
    CURLM *multi; /* owned */
    struct curl_slist *headers;
    const char *socket_path;
    lb_client_pipe_fn answered;
    void *ctx;
    size_t count;
    size_t busy_count;
    struct place places[PLACES_MAX];
};

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct place *place = ctx;

    lb_buf_add(&place->answer, bytes, size * count);
    return place->answer.is_failed ? 0 : size * count;
}

static bool prepare(struct lb_client_pipe *pipe, struct place *place)
{
    lb_buf_init(&place->body, SIZE_MAX / 2);
    lb_buf_init(&place->answer, ANSWER_BYTES);
    place->curl = curl_easy_init();
    if (place->curl == NULL) {
        return false;
    }
    (void)curl_easy_setopt(place->curl, CURLOPT_UNIX_SOCKET_PATH,
                           pipe->socket_path);
    (void)curl_easy_setopt(place->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(place->curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(place->curl, CURLOPT_HTTPHEADER, pipe->headers);
    (void)curl_easy_setopt(place->curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(place->curl, CURLOPT_PRIVATE, place);
    (void)curl_easy_setopt(place->curl, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(place->curl, CURLOPT_WRITEDATA, place);
    return true;
}

enum lb_err lb_client_pipe_new(const char *socket_path,
                               size_t places,
                               lb_client_pipe_fn answered,
                               void *ctx,
                               struct lb_client_pipe **pipe_out,
                               struct lb_error *err)
{
    struct lb_client_pipe *pipe = calloc(1, sizeof(*pipe));
    bool is_ready = pipe != NULL;

    *pipe_out = NULL;
    if (is_ready) {
        pipe->socket_path = socket_path;
        pipe->answered = answered;
        pipe->ctx = ctx;
        pipe->multi = curl_multi_init();
        pipe->headers = curl_slist_append(NULL, "Expect:");
        pipe->headers = curl_slist_append(pipe->headers,
                                          "Content-Type: application/x-ndjson");
        is_ready = pipe->multi != NULL && pipe->headers != NULL;
    }
    while (is_ready && pipe->count < places && pipe->count < PLACES_MAX) {
        is_ready = prepare(pipe, &pipe->places[pipe->count]);
        pipe->count += is_ready ? 1 : 0;
    }
    if (!is_ready) {
        lb_client_pipe_free(pipe);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    *pipe_out = pipe;
    return LB_OK;
}

void lb_client_pipe_free(struct lb_client_pipe *pipe)
{
    if (pipe == NULL) {
        return;
    }
    for (size_t i = 0; i < pipe->count; i++) {
        struct place *place = &pipe->places[i];

        if (place->is_busy) {
            (void)curl_multi_remove_handle(pipe->multi, place->curl);
        }
        curl_easy_cleanup(place->curl);
        lb_buf_deinit(&place->body);
        lb_buf_deinit(&place->answer);
    }
    (void)curl_multi_cleanup(pipe->multi);
    curl_slist_free_all(pipe->headers);
    free(pipe);
}

static enum lb_err finish(struct lb_client_pipe *pipe,
                          const CURLMsg *message,
                          struct lb_error *err)
{
    struct place *place = NULL;
    long status = 0;
    CURLcode code = message->data.result;

    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &place);
    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE,
                            &status);
    (void)curl_multi_remove_handle(pipe->multi, place->curl);
    if (code == CURLE_OK &&
        pipe->answered(pipe->ctx, place->tag, (int)status, &place->answer)) {
        (void)usleep(PAUSE_US);
        lb_buf_clear(&place->answer);
        (void)curl_multi_add_handle(pipe->multi, place->curl);
        return LB_OK;
    }
    place->is_busy = false;
    pipe->busy_count--;
    return code == CURLE_OK
               ? LB_OK
               : lb_err_set(err, LB_ENET,
                            "the service did not answer on %s: %s",
                            pipe->socket_path, curl_easy_strerror(code));
}

/* Takes in the answers that are there. */
static enum lb_err finish_all(struct lb_client_pipe *pipe, struct lb_error *err)
{
    enum lb_err rc = LB_OK;
    CURLMsg *message;
    int left = 0;

    while (rc == LB_OK &&
           (message = curl_multi_info_read(pipe->multi, &left)) != NULL) {
        rc = message->msg == CURLMSG_DONE ? finish(pipe, message, err) : LB_OK;
    }
    return rc;
}

/* Goes on until at most most requests are under way. */
static enum lb_err
turn(struct lb_client_pipe *pipe, size_t most, struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    while (rc == LB_OK) {
        int running = 0;

        (void)curl_multi_perform(pipe->multi, &running);
        rc = finish_all(pipe, err);
        if (pipe->busy_count <= most) {
            break;
        }
        if (rc == LB_OK) {
            (void)curl_multi_poll(pipe->multi, NULL, 0, POLL_MS, NULL);
        }
    }
    return rc;
}

enum lb_err lb_client_pipe_send(struct lb_client_pipe *pipe,
                                const char *path,
                                struct lb_buf *body,
                                size_t tag,
                                struct lb_error *err)
{
    struct place *place = pipe->places;
    struct lb_buf spare;
    char url[URL_BYTES];
    enum lb_err rc = turn(pipe, pipe->count - 1, err);

    if (rc != LB_OK) {
        return rc;
    }
    while (place->is_busy) {
        place++;
    }
    spare = place->body;
    place->body = *body;
    *body = spare;
    lb_buf_clear(body);
    body->max = place->body.max;
    lb_buf_clear(&place->answer);
    place->tag = tag;
    place->is_busy = true;
    pipe->busy_count++;
    (void)snprintf(url, sizeof(url), "http://localhost%s", path);
    (void)curl_easy_setopt(place->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(place->curl, CURLOPT_POSTFIELDSIZE_LARGE,
                           (curl_off_t)place->body.len);
    (void)curl_easy_setopt(place->curl, CURLOPT_POSTFIELDS,
                           lb_buf_text(&place->body));
    (void)curl_multi_add_handle(pipe->multi, place->curl);
    return turn(pipe, pipe->count, err);
}

enum lb_err lb_client_pipe_wait(struct lb_client_pipe *pipe,
                                struct lb_error *err)
{
    return turn(pipe, 0, err);
}
