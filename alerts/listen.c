/* listen.c - a local receiver for trying destinations. */
#include "alerts/listen.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "alerts/destination.h"
#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/http_server.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/secret_read.h"
#include "base/text.h"

#define TOLERANCE_S 300

struct listener {
    struct lb_http_server *server;
    uv_signal_t signals[2];
    struct destination secrets; /* the keys to verify with */
    long long to_fail;
    unsigned long count;
    bool is_json;
};

static bool is_signed_well(const struct listener *listener,
                           struct lb_http_request *request)
{
    const char *id = lb_http_request_header(request, "webhook-id");
    const char *at = lb_http_request_header(request, "webhook-timestamp");
    const char *signature =
        lb_http_request_header(request, "webhook-signature");
    struct lb_buf *body = lb_http_request_body(request);
    long long at_s = 0;
    bool is_found = false;

    if (id == NULL || at == NULL || signature == NULL ||
        !lb_text_to_int(at, &at_s) ||
        llabs(lb_clock_wall_ms() / 1000 - at_s) > TOLERANCE_S) {
        return false;
    }
    for (size_t i = 0; i < listener->secrets.secret_count && !is_found; i++) {
        struct destination one = {.secret_count = 1};
        struct lb_buf want;

        memcpy(one.secrets[0], listener->secrets.secrets[i],
               sizeof(one.secrets[0]));
        one.secret_bytes[0] = listener->secrets.secret_bytes[i];
        lb_buf_init(&want, 256);
        destination_sign(&one, id, at_s, lb_buf_text(body), body->len, &want);
        is_found = strstr(signature, lb_buf_text(&want)) != NULL;
        lb_buf_deinit(&want);
    }
    return is_found;
}

static void print_text(const cJSON *text)
{
    const char *value = lb_json_text(text, "text");

    if (value != NULL) {
        (void)printf("  %s\n", value);
    }
}

/* Block Kit as lines. */
static void print_blocks(const cJSON *blocks)
{
    const cJSON *block;
    const cJSON *field;

    cJSON_ArrayForEach (block, blocks) {
        print_text(cJSON_GetObjectItemCaseSensitive(block, "text"));
        cJSON_ArrayForEach (field,
                            cJSON_GetObjectItemCaseSensitive(block, "fields")) {
            print_text(field);
        }
        cJSON_ArrayForEach (
            field, cJSON_GetObjectItemCaseSensitive(block, "elements")) {
            print_text(field);
        }
    }
}

static void print_message(const struct listener *listener,
                          struct lb_http_request *request)
{
    struct lb_buf *body = lb_http_request_body(request);
    cJSON *json = cJSON_ParseWithLength(lb_buf_text(body), body->len);
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(json, "blocks");
    const char *id = lb_http_request_header(request, "webhook-id");
    char at[LB_CLOCK_TEXT_BYTES];

    lb_clock_format(lb_clock_wall_ms(), at);
    if (listener->is_json) {
        (void)printf("%s\n", lb_buf_text(body));
    } else if (blocks != NULL) {
        (void)printf("%s slack message %lu\n", at, listener->count);
        print_blocks(blocks);
    } else {
        const char *verdict =
            listener->secrets.secret_count == 0 ? "not verified"
            : is_signed_well(listener, request) ? "signature well"
                                                : "SIGNATURE WRONG";

        (void)printf("%s webhook %s, %s\n  %s\n", at,
                     id == NULL ? "without id" : id, verdict,
                     lb_buf_text(body));
    }
    (void)fflush(stdout);
    cJSON_Delete(json);
}

static void handle(struct lb_http_request *request, void *ctx)
{
    struct listener *listener = ctx;

    listener->count++;
    if (listener->to_fail > 0) {
        listener->to_fail--;
        (void)printf("message %lu refused, as asked (--fail)\n",
                     listener->count);
        (void)fflush(stdout);
        lb_http_respond_error(request, 503, "overloaded", "Refused, as asked.",
                              NULL);
        return;
    }
    print_message(listener, request);
    lb_http_respond(request, 200, "text/plain", "ok", 2);
}

static void on_drained(void *ctx)
{
    struct listener *listener = ctx;

    uv_close((uv_handle_t *)&listener->signals[0], NULL);
    uv_close((uv_handle_t *)&listener->signals[1], NULL);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct listener *listener = handle->data;

    (void)number;
    (void)uv_signal_stop(handle);
    lb_http_server_drain(listener->server, 1000, on_drained, listener);
}

static enum lb_err start(struct listener *listener,
                         uv_loop_t *loop,
                         int *port,
                         struct lb_error *err)
{
    static const struct lb_http_server_limits limits = {
        8192,  32768, 100,   10000,
        30000, 75000, 30000, (size_t)1024 * 1024,
        256,   0,     16,    (size_t)16 * 1024 * 1024};
    static const struct lb_http_server_hooks hooks = {0};
    static const char *const patterns[] = {"/", "/{a}", "/{a}/{b}",
                                           "/{a}/{b}/{c}", "/{a}/{b}/{c}/{d}"};
    enum lb_err rc =
        lb_http_server_new(loop, &limits, &hooks, &listener->server, err);

    for (size_t i = 0;
         i < sizeof(patterns) / sizeof(patterns[0]) && rc == LB_OK; i++) {
        struct lb_http_route route = {"POST", patterns[i], NULL,
                                      handle, listener,    0};

        rc = lb_http_server_add_route(listener->server, &route, err);
    }
    return rc == LB_OK ? lb_http_server_listen(listener->server, "127.0.0.1",
                                               *port, port, err)
                       : rc;
}

static bool read_secret(struct listener *listener, const char *name)
{
    char text[LB_SECRET_WEBHOOK_BYTES * 2];
    char *rest = text;
    const char *line = NULL;
    struct lb_error err;

    if (name == NULL) {
        return true;
    }
    if (lb_secret_read_env(name, text, sizeof(text), &err) == LB_OK) {
        line = lb_secret_read_line(&rest);
    }
    listener->secrets.secret_bytes[0] =
        line == NULL
            ? 0
            : lb_secret_from_webhook(line, listener->secrets.secrets[0]);
    listener->secrets.secret_count =
        listener->secrets.secret_bytes[0] > 0 ? 1 : 0;
    if (listener->secrets.secret_count == 0) {
        (void)fprintf(stderr,
                      "linkbell listen: %s holds no secret (whsec_ and base64 "
                      "of 24 to 64 bytes)\n",
                      name);
    }
    return listener->secrets.secret_count > 0;
}

int listen_command(struct lb_cli *cli, int argc, char **argv)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    struct listener listener = {.count = 0};
    const char *port_text = "8788";
    const char *secret = NULL;
    const char *fail = NULL;
    const struct lb_cli_option options[] = {
        {"port", "PORT", "where to listen on 127.0.0.1; 0 takes a free one",
         &port_text, NULL},
        {"secret-env", "NAME", "variable with the webhook's secret", &secret,
         NULL},
        {"fail", "N", "refuse the first N messages", &fail, NULL}};
    struct lb_error err = {LB_OK, ""};
    long long number = 0;
    const struct lb_cli_usage usage = {
        .line = "listen [--port 8788] [--secret-env NAME] [--fail N]",
        .options = options,
        .option_count = sizeof(options) / sizeof(options[0])};
    uv_loop_t loop;
    int port;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (!lb_text_to_int(port_text, &number) || number < 0 || number > 65535 ||
        (fail != NULL && !lb_text_to_int(fail, &listener.to_fail))) {
        (void)fprintf(stderr,
                      "linkbell listen: --port and --fail take numbers\n");
        return LB_CLI_USAGE;
    }
    port = (int)number;
    listener.is_json = cli->is_json;
    if (!read_secret(&listener, secret)) {
        return LB_CLI_FAILED;
    }
    (void)uv_loop_init(&loop);
    if (start(&listener, &loop, &port, &err) != LB_OK) {
        return lb_cli_fail(cli, &err);
    }
    for (int i = 0; i < 2; i++) {
        (void)uv_signal_init(&loop, &listener.signals[i]);
        listener.signals[i].data = &listener;
        (void)uv_signal_start(&listener.signals[i], on_signal, numbers[i]);
    }
    (void)printf("listening on http://127.0.0.1:%d\n", port);
    (void)fflush(stdout);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    lb_http_server_free(listener.server);
    return LB_CLI_OK;
}
