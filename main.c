/* main.c - composition root: reads the settings, builds the modules, runs the
 * loop, undoes it in reverse; hands the command line's verbs to their owners.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "aggregate/answers.h"
#include "aggregate/day_builder.h"
#include "aggregate/export_command.h"
#include "aggregate/query_command.h"
#include "aggregate/rollup_store.h"
#include "aggregate/verify.h"
#include "alerts/alerts_api.h"
#include "alerts/alerts_store.h"
#include "alerts/deliver.h"
#include "alerts/deliver_curl.h"
#include "alerts/deliveries_command.h"
#include "alerts/destination_check.h"
#include "alerts/destination_store.h"
#include "alerts/destinations_command.h"
#include "alerts/detect_command.h"
#include "alerts/engine.h"
#include "alerts/learn.h"
#include "alerts/listen.h"
#include "alerts/rule_check.h"
#include "alerts/rules_command.h"
#include "alerts/rules_store.h"
#include "alerts/system_alert.h"
#include "alerts/ticker.h"
#include "alerts/transform_worker.h"
#include "base/cli.h"
#include "base/client.h"
#include "base/client_rules.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/man.h"
#include "base/process.h"
#include "geo/geo.h"
#include "geo/geo_command.h"
#include "geo/geo_watch.h"
#include "ingest/hook_check.h"
#include "ingest/import_command.h"
#include "ingest/relabel_api.h"
#include "ingest/ways_in.h"
#include "sql/admin.h"
#include "sql/apply.h"
#include "sql/auth.h"
#include "sql/backup_command.h"
#include "sql/cursor.h"
#include "sql/dict.h"
#include "sql/doctor_api.h"
#include "sql/erase_api.h"
#include "sql/health.h"
#include "sql/retention.h"
#include "sql/seal.h"
#include "sql/token.h"

#define READER_THREADS 3 /* one of them may seal */
#define PARSER_THREADS 1
#define SOCKET_NAME "linkbell.sock"
#define PATH_BYTES 4200

static const struct apply_kind kinds[] = {
    {"rules", "rule", CATALOG_RULE, rule_check, rule_check_begins_anew},
    {"destinations", "destination", CATALOG_DESTINATION, destination_check,
     NULL},
    {"sources", "source", CATALOG_SOURCE, hook_check, NULL},
};
static const struct apply_kinds all_kinds = {kinds,
                                             sizeof(kinds) / sizeof(kinds[0])};

/* Everything that runs, in the order in which it is built. */
struct service {
    uv_loop_t loop;
    struct lb_config config;
    const char *config_path; /* NULL: none */
    const char *data_dir;
    const char *listen; /* --listen; NULL: the setting */
    bool is_embedded;   /* for a verb: the local socket alone */
    struct writer *writer;
    struct cursor *cursor;
    struct catalog_holder *holder;
    struct dict *dict;
    struct visitors *visitors;
    struct geo_watch *geo;
    struct lb_client_rules *clients;
    struct source_table *sources;
    struct event_store *store;
    struct rollup_store *rollups;
    struct day_store *day_store;
    struct day_builder *days;
    struct seal *seal;
    struct retention *retention;
    struct engine *engine;
    struct system_alert *system;
    struct learn *learn;
    struct ticker *ticker; /* NULL: nothing goes out, no time is told */
    struct pool *readers;
    struct pool *parsers;
    struct deliver *deliver;
    struct lb_http_server *http;
    struct auth *auth;
    struct ways_in *ways_in;
    struct answers *answers;
    struct erase_api *erase;
    struct alerts_api *alerts;
    struct apply_target target;
    uv_signal_t signals[3];
    uv_async_t stop; /* of an embedded service */
    bool is_draining;
    bool has_failed;
    char socket_path[PATH_BYTES];
    struct admin *admin;
};

/* --- building ------------------------------------------------------------ */

static enum lb_err build_store(struct service *service, struct lb_error *err)
{
    const struct lb_config *config = &service->config;
    struct writer_limits limits = writer_limits_of(config);
    struct event_store_limits window = event_store_limits_of(config);
    struct cursor_consumer consumer;
    enum lb_err rc = writer_new(&service->loop, service->data_dir, &limits,
                                &service->writer, err);

    rc = rc == LB_OK ? dict_new(service->writer, &service->dict, err) : rc;
    rc = rc == LB_OK ? visitor_new(service->writer, &service->visitors, err)
                     : rc;
    rc = rc == LB_OK ? cursor_new(service->writer, &service->cursor, err) : rc;
    rc = rc == LB_OK
             ? catalog_holder_new(service->writer, &service->holder, err)
             : rc;
    rc = rc == LB_OK ? event_store_new(
                           &(const struct event_store_parts){
                               service->writer, service->cursor, service->dict,
                               service->visitors},
                           &window, &service->store, err)
                     : rc;
    rc = rc == LB_OK ? rollup_store_new(&service->rollups, err) : rc;
    rc = rc == LB_OK ? day_store_new(service->holder, &service->day_store, err)
                     : rc;
    rc = rc == LB_OK ? engine_new(writer_db(service->writer), service->holder,
                                  config, &service->engine, err)
                     : rc;
    rc = rc == LB_OK ? system_alert_new(config, &service->system, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    visitor_set_period_name(service->visitors, config->visitor_period);
    consumer = rollup_store_consumer(service->rollups);
    cursor_add_consumer(service->cursor, &consumer);
    consumer = day_store_consumer(service->day_store);
    cursor_add_consumer(service->cursor, &consumer);
    consumer = engine_consumer(service->engine);
    cursor_add_consumer(service->cursor, &consumer);
    consumer = system_alert_consumer(service->system);
    cursor_add_consumer(service->cursor, &consumer);
    service->sources = source_table_new();
    return service->sources == NULL
               ? lb_err_set(err, LB_ENOMEM, "out of memory")
               : LB_OK;
}

static enum lb_err build_erase(struct service *service, struct lb_error *err)
{
    struct erase_hooks hooks = {.dict = service->dict};
    const struct erase_parts parts = {service->readers, service->writer,
                                      service->seal, &hooks};

    rollup_store_hook(service->rollups, &hooks);
    event_store_hook(service->store, &hooks);
    engine_hook(service->engine, &hooks);
    return erase_api_new(service->http, service->auth, &parts, &service->erase,
                         err);
}

static enum lb_err build_routes(struct service *service, struct lb_error *err)
{
    struct lb_config *config = &service->config;
    const struct intake_parts parts = {
        service->writer,   service->auth,    service->store,
        service->visitors, service->sources, service->clients,
        service->geo,      service->parsers, service->readers,
        service->holder,   service->dict,    rollup_store_reclass};
    const struct answer_parts asked = {service->auth,   service->readers,
                                       service->writer, service->cursor,
                                       service->days,   alerts_store_since};
    const struct alerts_parts alerts = {service->auth,   service->readers,
                                        service->writer, service->cursor,
                                        config,          &all_kinds};
    const struct admin_parts run = {
        service->auth,
        service->writer,
        service->readers,
        service->cursor,
        &service->target,
        {geo_watch_state, service->geo},
        {NULL, NULL, rules_store_add_state, destination_store_add_state}};
    enum lb_err rc =
        ways_in_new(service->http, &parts, config, &service->ways_in, err);

    pool_set_reading(service->readers, writer_gate(service->writer),
                     (size_t)config->segment_cache_bytes);
    day_builder_loading(service->days, ways_in_are_loading, service->ways_in);
    rc = rc == LB_OK ? answers_new(service->http, &asked, config,
                                   &service->answers, err)
                     : rc;
    rc = rc == LB_OK ? build_erase(service, err) : rc;
    rc = rc == LB_OK
             ? alerts_api_new(service->http, &alerts, &service->alerts, err)
             : rc;
    return rc == LB_OK ? admin_new(service->http, &run, &service->admin, err)
                       : rc;
}

/* The catalog is another one: destinations may take what they did not. */
static void settle(void *ctx, void (*done)(void *ctx), void *done_ctx)
{
    struct service *service = ctx;

    if (service->deliver != NULL) {
        deliver_wake(service->deliver);
    }
    learn_settle(service->learn, done, done_ctx);
}

static enum lb_err build(struct service *service, struct lb_error *err)
{
    struct deliver_parts outgoing;
    struct lb_http_server_limits limits =
        lb_http_server_limits_of(&service->config);
    struct lb_http_server_hooks hooks = health_hooks();
    enum lb_err rc = build_store(service, err);

    rc = rc == LB_OK ? pool_new(&service->loop, service->data_dir,
                                READER_THREADS, &service->readers, err)
                     : rc;
    rc = rc == LB_OK
             ? learn_new(service->writer, service->cursor, service->readers,
                         service->engine, &service->learn, err)
             : rc;
    service->target = (struct apply_target){service->holder, service->cursor,
                                            &all_kinds, settle, service};
    rc = rc == LB_OK ? pool_new(&service->loop, NULL, PARSER_THREADS,
                                &service->parsers, err)
                     : rc;
    rc = rc == LB_OK
             ? lb_client_rules_new(&service->config, &service->clients, err)
             : rc;
    rc = rc == LB_OK
             ? geo_watch_new(&service->config.geo_database, service->data_dir,
                             GEO_WATCH_POLL_MS, &service->geo, err)
             : rc;
    rc = rc == LB_OK ? day_builder_new(service->writer, service->readers,
                                       service->holder, service->day_store,
                                       &service->days, err)
                     : rc;
    rc = rc == LB_OK
             ? seal_new(service->writer, service->readers, service->cursor,
                        (size_t)service->config.segment_events, &service->seal,
                        err)
             : rc;
    rc = rc == LB_OK ? auth_new(service->writer, service->holder,
                                service->clients, &service->auth, err)
                     : rc;
    rc = rc == LB_OK ? lb_http_server_new(&service->loop, &limits, &hooks,
                                          &service->http, err)
                     : rc;
    rc = rc == LB_OK ? build_routes(service, err) : rc;
    if (rc == LB_OK && !service->is_embedded) {
        outgoing = (struct deliver_parts){service->writer, service->readers,
                                          service->holder, service->cursor};
        rc = deliver_new(&service->loop, &outgoing, &service->config,
                         &service->deliver, err);
        rc = rc == LB_OK ? retention_new(service->writer, service->cursor,
                                         service->holder, &service->config,
                                         &service->retention, err)
                         : rc;
        if (rc == LB_OK) {
            engine_set_wake(service->engine, deliver_wake, service->deliver);
            system_alert_set_wake(service->system, deliver_wake,
                                  service->deliver);
            alerts_api_set_deliver(service->alerts, service->deliver);
            health_api_set_destinations(admin_health(service->admin),
                                        deliver_write_states, service->deliver);
            rc = ticker_new(service->writer, service->cursor, service->engine,
                            service->learn, &service->ticker, err);
        }
    }
    return rc == LB_OK ? writer_start(service->writer, err) : rc;
}

/* --- the end -------------------------------------------------------------- */

static void on_delivered(void *ctx)
{
    struct service *service = ctx;

    deliver_stop(service->deliver);
    day_builder_stop(service->days);
    seal_stop(service->seal);
    pool_stop(service->readers);
    pool_stop(service->parsers);
    writer_stop(service->writer);
    (void)unlink(service->socket_path);
}

/* No request is under way any more; what is being delivered has its time, too.
 */
static void on_drained(void *ctx)
{
    struct service *service = ctx;

    for (size_t i = 0; i < 3 && !service->is_embedded; i++) {
        uv_close((uv_handle_t *)&service->signals[i], NULL);
    }
    if (service->is_embedded) {
        uv_close((uv_handle_t *)&service->stop, NULL);
    }
    deliver_drain(service->deliver, service->config.shutdown_timeout_ms,
                  on_delivered, service);
}

static void drain(struct service *service)
{
    if (!service->is_draining) {
        service->is_draining = true;
        learn_stop(service->learn); /* so that nobody waits for it */
        if (!service->is_embedded) {
            lb_log(LB_LOG_INFO, "draining", "timeout_ms=%lld",
                   (long long)service->config.shutdown_timeout_ms);
        }
        lb_http_server_drain(service->http, service->config.shutdown_timeout_ms,
                             on_drained, service);
    }
}

static void demolish(struct service *service)
{
    deliver_free(service->deliver);
    admin_free(service->admin);
    alerts_api_free(service->alerts);
    erase_api_free(service->erase);
    answers_free(service->answers);
    ways_in_free(service->ways_in);
    lb_http_server_free(service->http);
    auth_free(service->auth);
    geo_watch_free(service->geo);
    lb_client_rules_free(service->clients);
    pool_free(service->parsers);
    pool_free(service->readers);
    system_alert_free(service->system);
    ticker_free(service->ticker);
    learn_free(service->learn);
    engine_free(service->engine);
    day_builder_free(service->days);
    seal_free(service->seal);
    retention_free(service->retention);
    day_store_free(service->day_store);
    rollup_store_free(service->rollups);
    event_store_free(service->store);
    source_table_free(service->sources);
    visitor_free(service->visitors);
    dict_free(service->dict);
    catalog_holder_free(service->holder);
    cursor_free(service->cursor);
    writer_free(service->writer);
    lb_config_deinit(&service->config);
}

/* --- configuration -------------------------------------------------------- */

static void on_reloaded(void *ctx,
                        enum lb_err rc,
                        const char *report,
                        const struct lb_error *err)
{
    (void)ctx;
    if (rc == LB_OK) {
        lb_log(LB_LOG_INFO, "reloaded", "changes=%s",
               report[0] == '\0' ? "none" : "applied");
    } else {
        lb_log(LB_LOG_ERROR, "reload_failed", "text=\"%s\"", err->text);
    }
}

static void reload(struct service *service)
{
    struct lb_config config;
    struct lb_yaml *root = NULL;
    struct lb_error err = {LB_OK, ""};
    struct lb_http_server_limits http;
    struct writer_limits limits;

    if (apply_load(service->config_path, &all_kinds, &config, &root, &err) !=
        LB_OK) {
        lb_log(LB_LOG_ERROR, "reload_failed",
               "text=\"%s\" hint=\"the old configuration stays\"", err.text);
        lb_config_deinit(&config);
        lb_yaml_free(root);
        return;
    }
    lb_config_deinit(&service->config);
    service->config = config;
    http = lb_http_server_limits_of(&config);
    limits = writer_limits_of(&config);
    lb_http_server_set_limits(service->http, &http);
    writer_set_limits(service->writer, &limits);
    lb_log_set_level_name(config.log_level);
    visitor_set_period_name(service->visitors, config.visitor_period);
    ways_in_set_config(service->ways_in, &service->config);
    lb_client_rules_set(service->clients, &service->config);
    geo_watch_reload(service->geo, &service->config.geo_database);
    answers_set_config(service->answers, &service->config);
    system_alert_set_config(service->system, &service->config);
    retention_set_config(service->retention, &service->config);
    deliver_set_config(service->deliver, &service->config);
    if (root == NULL || apply_submit(service->writer, &service->target, root,
                                     on_reloaded, service, &err) != LB_OK) {
        lb_log(LB_LOG_INFO, "reloaded", "changes=none");
    }
    lb_yaml_free(root);
}

static void on_signal(uv_signal_t *handle, int number)
{
    if (number == SIGHUP) {
        reload(handle->data);
    } else {
        drain(handle->data);
    }
}

/* --- serve ---------------------------------------------------------------- */

static void start_listening(struct service *service)
{
    const char *text =
        service->listen != NULL ? service->listen : service->config.listen;
    struct lb_error err = {LB_OK, ""};
    char host[LB_CONFIG_HOST_BYTES];
    int port = 0;

    lb_config_parse_listen(text, host, &port);
    if (lb_http_server_listen(service->http, host, port, &port, &err) !=
            LB_OK ||
        lb_http_server_listen_local(service->http, service->socket_path,
                                    &err) != LB_OK) {
        (void)fprintf(stderr, "linkbell serve: %s\n", err.text);
        service->has_failed = true;
        drain(service);
        return;
    }
    ways_in_start(service->ways_in);
    lb_process_tell_address(host, port);
}

static void on_started(void *ctx, enum lb_err rc, const struct lb_error *err)
{
    struct service *service = ctx;

    if (rc != LB_OK) {
        (void)fprintf(stderr, "linkbell serve: %s\n", err->text);
        service->has_failed = true;
        drain(service);
    } else if (!service->is_draining) {
        start_listening(service);
    }
}

/* The rules have learnt what they can. */
static void on_settled(void *ctx)
{
    struct service *service = ctx;

    if (!service->is_draining) {
        ticker_start(service->ticker, on_started, service);
    }
}

static void on_applied(void *ctx,
                       enum lb_err rc,
                       const char *report,
                       const struct lb_error *err)
{
    (void)report;
    if (rc != LB_OK) {
        on_started(ctx, rc, err);
    } else {
        on_settled(ctx);
    }
}

static enum lb_err find_data_dir(struct service *service, struct lb_error *err)
{
    if (service->data_dir == NULL) {
        service->data_dir = service->config.data_dir;
    }
    if (strlen(service->data_dir) + sizeof(SOCKET_NAME) + 2 >
        sizeof(service->socket_path)) {
        return lb_err_set(err, LB_EINVAL,
                          "the data directory's name is too long");
    }
    (void)snprintf(service->socket_path, sizeof(service->socket_path), "%s/%s",
                   service->data_dir, SOCKET_NAME);
    return LB_OK;
}

static int run_serve(struct service *service, struct lb_yaml *root)
{
    static const int numbers[3] = {SIGTERM, SIGINT, SIGHUP};
    struct lb_error err = {LB_OK, ""};

    if (build(service, &err) != LB_OK) {
        (void)fprintf(stderr, "linkbell serve: %s\n", err.text);
        lb_yaml_free(root);
        return LB_CLI_FAILED; /* nothing runs that needs an undoing */
    }
    for (size_t i = 0; i < 3; i++) {
        (void)uv_signal_init(&service->loop, &service->signals[i]);
        service->signals[i].data = service;
        (void)uv_signal_start(&service->signals[i], on_signal, numbers[i]);
    }
    if (root == NULL) {
        learn_settle(service->learn, on_settled, service);
    } else if (apply_submit(service->writer, &service->target, root, on_applied,
                            service, &err) != LB_OK) {
        on_applied(service, err.code, "", &err);
    }
    lb_yaml_free(root);
    (void)uv_run(&service->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&service->loop);
    demolish(service);
    return service->has_failed ? LB_CLI_FAILED : LB_CLI_OK;
}

static int serve_command(struct lb_cli *cli, int argc, char **argv)
{
    static struct service service;
    const struct lb_cli_option options[] = {{"listen", "HOST:PORT",
                                             "instead of server.listen",
                                             &service.listen, NULL}};
    struct lb_yaml *root = NULL;
    struct lb_error err = {LB_OK, ""};
    const struct lb_cli_usage usage = {
        "serve [-c linkbell.yaml] [--listen HOST:PORT] [--data-dir DIR]",
        options, 1, 0};
    int exit_code;

    cli->data_dir = NULL;
    exit_code = lb_cli_parse(cli, argc, argv, &usage, NULL);
    if (exit_code >= 0) {
        return exit_code;
    }
    service.config_path = cli->config_path;
    service.data_dir = cli->data_dir;
    if (apply_load(cli->config_path, &all_kinds, &service.config, &root,
                   &err) != LB_OK ||
        find_data_dir(&service, &err) != LB_OK) {
        (void)fprintf(stderr, "linkbell serve: %s\n", err.text);
        lb_yaml_free(root);
        lb_config_deinit(&service.config);
        return LB_CLI_FAILED;
    }
    lb_log_set_level_name(service.config.log_level);
    (void)uv_loop_init(&service.loop);
    return run_serve(&service, root);
}

/* --- a service inside a verb ---------------------------------------------- */

static struct service embedded;
static pthread_t embedded_thread;
static bool is_embedded_running;

static void on_stop(uv_async_t *async)
{
    drain(async->data);
}

static void *run_embedded(void *arg)
{
    struct service *service = arg;

    (void)uv_run(&service->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void stop_embedded(void)
{
    if (is_embedded_running) {
        (void)uv_async_send(&embedded.stop);
        (void)pthread_join(embedded_thread, NULL);
        (void)uv_loop_close(&embedded.loop);
        demolish(&embedded);
        is_embedded_running = false;
    }
}

static const char *socket_path(struct lb_cli *cli, struct lb_error *err)
{
    struct lb_yaml *root = NULL;

    if (is_embedded_running) {
        return embedded.socket_path;
    }
    if (embedded.socket_path[0] == '\0') {
        embedded.is_embedded = true;
        embedded.data_dir = cli->data_dir;
        if (apply_load(cli->config_path, &all_kinds, &embedded.config, &root,
                       err) != LB_OK ||
            find_data_dir(&embedded, err) != LB_OK) {
            lb_yaml_free(root);
            return NULL;
        }
        lb_yaml_free(root);
    }
    if (lb_client_is_served(embedded.socket_path)) {
        return embedded.socket_path;
    }
    lb_log_set_level(LB_LOG_WARN);
    (void)uv_loop_init(&embedded.loop);
    if (build(&embedded, err) != LB_OK ||
        lb_http_server_listen_local(embedded.http, embedded.socket_path, err) !=
            LB_OK) {
        return NULL;
    }
    (void)uv_async_init(&embedded.loop, &embedded.stop, on_stop);
    embedded.stop.data = &embedded;
    if (pthread_create(&embedded_thread, NULL, run_embedded, &embedded) != 0) {
        (void)lb_err_set(err, LB_ENOMEM, "no thread to be had");
        return NULL;
    }
    is_embedded_running = true;
    return embedded.socket_path;
}

/* --- verbs ---------------------------------------------------------------- */

static int apply_verb(struct lb_cli *cli, int argc, char **argv)
{
    return apply_command(cli, &all_kinds, argc, argv);
}

static int doctor_verb(struct lb_cli *cli, int argc, char **argv)
{
    char versions[400];

    (void)snprintf(versions, sizeof(versions),
                   "linkbell %s, SQLite %s, libuv %s, cJSON %s, libmaxminddb "
                   "%s, %s",
                   LINKBELL_VERSION, sqlite3_libversion(), uv_version_string(),
                   cJSON_Version(), geo_version(), deliver_curl_version());
    return doctor_api_command(cli, &all_kinds, versions, argc, argv);
}

static const struct lb_cli_verb verbs[] = {
    {"serve", serve_command, "the service"},
    {"apply", apply_verb, "make sites, rules and the like match a file"},
    {"import", import_command, "load clicks in bulk"},
    {"query", query_command, "ask the numbers"},
    {"export", export_command, "events and stats as files"},
    {"detect", detect_command, "score a series of numbers for anomalies"},
    {"token", token_command, "create, list and revoke tokens"},
    {"verify", verify_command, "add the rollups up against the log"},
    {"erase", erase_api_command, "forget a person or a site"},
    {"rebuild", rebuild_command, "derive the rollups anew"},
    {"relabel", relabel_api_command, "apply a newer list of crawlers"},
    {"backup", backup_command, "a consistent copy of the database"},
    {"restore", backup_command_restore, "put a copy back"},
    {"doctor", doctor_verb, "say what is wrong, and what to do"},
    {"rules", rules_command, "what rings, or would have"},
    {"geo", geo_command, "make a country database, ask it"},
    {"deliveries", deliveries_command, "what went out; send it again"},
    {"destinations", destinations_command, "how they fare; test, new secrets"},
    {"listen", listen_command, "a local receiver for trying destinations"},
    {"man", lb_man_command, "the manual page"},
};

int main(int argc, char **argv)
{
    int exit_code;

    if (argc > 1 && strcmp(argv[1], TRANSFORM_WORKER_WORD) == 0) {
        return transform_worker_main(argc, argv);
    }
    lb_process_prepare();
    exit_code = lb_cli_main(verbs, sizeof(verbs) / sizeof(verbs[0]),
                            socket_path, argc, argv);
    stop_embedded();
    return exit_code;
}
