/* apply.c - makes the catalog match a file, and tells what changed. */
#include "sql/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/json.h"

#define REPORT_BYTES ((size_t)4 * 1024 * 1024)
#define JSON_DEPTH 40

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static void to_json(const cJSON *item, struct lb_buf *buf)
{
    lb_buf_init(buf, REPORT_BYTES);
    lb_json_add_item(buf, item);
}

/* ": min 5 -> 8" for each member that differs. */
static void report_difference(struct lb_buf *report,
                              const cJSON *before,
                              const cJSON *after)
{
    const char *separator = ": ";

    for (const cJSON *item = after->child; item != NULL; item = item->next) {
        const cJSON *old =
            cJSON_GetObjectItemCaseSensitive(before, item->string);
        struct lb_buf was;
        struct lb_buf is;

        if (old != NULL && cJSON_Compare(old, item, true)) {
            continue;
        }
        to_json(old, &was);
        to_json(item, &is);
        lb_buf_printf(report, "%s%s %s -> %s", separator, item->string,
                      old == NULL ? "none" : lb_buf_text(&was),
                      lb_buf_text(&is));
        separator = ", ";
        lb_buf_deinit(&was);
        lb_buf_deinit(&is);
    }
    for (const cJSON *item = before->child; item != NULL; item = item->next) {
        if (!cJSON_HasObjectItem(after, item->string)) {
            lb_buf_printf(report, "%s%s removed", separator, item->string);
            separator = ", ";
        }
    }
    lb_buf_add_char(report, '\n');
}

struct run {
    const struct apply_target *target;
    struct db *db;
    struct lb_buf *report;
    struct lb_error *err;
    struct catalog *now; /* what stands in the database */
};

static const cJSON *find_id(const cJSON *list, const char *key, const char *id)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, list) {
        const char *text = lb_json_text(item, key);

        if (text != NULL && strcmp(text, id) == 0) {
            return item;
        }
    }
    return NULL;
}

static enum lb_err apply_links(struct run *run,
                               const cJSON *site,
                               const struct catalog_site *before,
                               int64_t number,
                               const char *id)
{
    const cJSON *links = cJSON_GetObjectItemCaseSensitive(site, "links");
    const cJSON *link;
    enum lb_err rc = LB_OK;

    cJSON_ArrayForEach (link, links) {
        const char *slug = lb_json_text(link, "slug");
        const struct catalog_link *old =
            before == NULL ? NULL : catalog_link_find(before, slug);
        const cJSON *enabled =
            cJSON_GetObjectItemCaseSensitive(link, "enabled");
        struct catalog_link_draft draft = {
            number,
            slug,
            or_empty(lb_json_text(link, "title")),
            or_empty(lb_json_text(link, "url")),
            or_empty(lb_json_text(link, "intent")),
            !cJSON_IsFalse(enabled),
            true};
        bool is_new = old == NULL || old->removed_at_ms != 0;

        if (!is_new && old->is_from_file &&
            old->is_enabled == draft.is_enabled &&
            strcmp(old->title, draft.title) == 0 &&
            strcmp(old->url, draft.url) == 0 &&
            strcmp(old->intent, draft.intent) == 0) {
            continue;
        }
        lb_buf_printf(run->report, "%c link %s:%s\n", is_new ? '+' : '~', id,
                      slug);
        rc = catalog_put_link(run->target->holder, run->db, &draft, run->err);
        if (rc != LB_OK) {
            return rc;
        }
    }
    for (size_t i = 0; before != NULL && i < before->link_count && rc == LB_OK;
         i++) {
        const struct catalog_link *old = &before->links[i];

        if (old->is_from_file && old->removed_at_ms == 0 &&
            find_id(links, "slug", old->slug) == NULL) {
            lb_buf_printf(run->report, "- link %s:%s\n", id, old->slug);
            rc = catalog_remove_link(run->target->holder, run->db, number,
                                     old->slug, run->err);
        }
    }
    return rc;
}

void apply_site_settings(const cJSON *site, struct lb_buf *out)
{
    lb_buf_add_char(out, '{');
    for (const cJSON *item = site->child; item != NULL; item = item->next) {
        if (strcmp(item->string, "id") != 0 &&
            strcmp(item->string, "timezone") != 0 &&
            strcmp(item->string, "hosts") != 0 &&
            strcmp(item->string, "links") != 0) {
            lb_json_add_key(out, item->string);
            lb_json_add_item(out, item);
        }
    }
    lb_buf_add_char(out, '}');
}

static bool is_same_site(const struct catalog_site *before,
                         const struct catalog_site_draft *draft)
{
    struct lb_buf settings;
    bool is_same = before->is_from_file &&
                   strcmp(before->timezone, draft->timezone) == 0 &&
                   before->host_count == draft->host_count;

    for (size_t i = 0; is_same && i < draft->host_count; i++) {
        is_same = strcmp(before->hosts[i], draft->hosts[i]) == 0;
    }
    to_json(before->settings, &settings);
    is_same =
        is_same && strcmp(lb_buf_text(&settings), draft->settings_json) == 0;
    lb_buf_deinit(&settings);
    return is_same;
}

static enum lb_err apply_site(struct run *run, const cJSON *site)
{
    const char *hosts[64];
    const char *zone = lb_json_text(site, "timezone");
    const char *id = lb_json_text(site, "id");
    const struct catalog_site *before = catalog_site_find(run->now, id);
    struct catalog_site_draft draft = {
        id, zone == NULL ? "UTC" : zone, hosts, 0, NULL, true};
    struct lb_buf settings;
    const cJSON *host;
    int64_t number = before == NULL ? 0 : before->number;
    enum lb_err rc = LB_OK;

    cJSON_ArrayForEach (host, cJSON_GetObjectItemCaseSensitive(site, "hosts")) {
        if (draft.host_count < 64 && cJSON_IsString(host)) {
            hosts[draft.host_count++] = host->valuestring;
        }
    }
    lb_buf_init(&settings, REPORT_BYTES);
    apply_site_settings(site, &settings);
    draft.settings_json = lb_buf_text(&settings);
    if (before == NULL || !is_same_site(before, &draft)) {
        lb_buf_printf(run->report, "%c site %s\n", before == NULL ? '+' : '~',
                      id);
        rc = catalog_put_site(run->target->holder, run->db, &draft, &number,
                              run->err);
    }
    lb_buf_deinit(&settings);
    return rc == LB_OK ? apply_links(run, site, before, number, id) : rc;
}

static enum lb_err apply_sites(struct run *run, const cJSON *root)
{
    const cJSON *sites = cJSON_GetObjectItemCaseSensitive(root, "sites");
    const cJSON *site;
    enum lb_err rc = LB_OK;

    cJSON_ArrayForEach (site, sites) {
        rc = apply_site(run, site);
        if (rc != LB_OK) {
            return rc;
        }
    }
    for (size_t i = 0; i < catalog_site_count(run->now) && rc == LB_OK; i++) {
        const struct catalog_site *old = catalog_site_at(run->now, i);

        if (old->is_from_file && find_id(sites, "id", old->id) == NULL) {
            lb_buf_printf(run->report, "- site %s\n", old->id);
            rc = catalog_remove_site(run->target->holder, run->db, old->number,
                                     run->err);
        }
    }
    return rc;
}

static enum lb_err apply_object(struct run *run,
                                const struct apply_kind *kind,
                                const cJSON *object)
{
    struct catalog_object_draft draft = {.kind = kind->kind,
                                         .id = lb_json_text(object, "id"),
                                         .is_from_file = true};
    const struct catalog_object *before =
        catalog_object_find(run->now, kind->kind, draft.id);
    struct lb_buf body;
    enum lb_err rc;

    if (before != NULL && before->is_from_file &&
        cJSON_Compare(before->body, object, true)) {
        return LB_OK;
    }
    if (before == NULL) {
        lb_buf_printf(run->report, "+ %s %s\n", kind->word, draft.id);
    } else {
        lb_buf_printf(run->report, "~ %s %s", kind->word, draft.id);
        report_difference(run->report, before->body, object);
        draft.begins_anew = kind->begins_anew != NULL &&
                            kind->begins_anew(before->body, object);
    }
    to_json(object, &body);
    draft.body_json = lb_buf_text(&body);
    rc = catalog_put_object(run->target->holder, run->db, &draft, run->err);
    lb_buf_deinit(&body);
    return rc;
}

static enum lb_err
apply_section(struct run *run, const struct apply_kind *kind, const cJSON *root)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, kind->section);
    const cJSON *object;
    enum lb_err rc = LB_OK;

    cJSON_ArrayForEach (object, list) {
        rc = apply_object(run, kind, object);
        if (rc != LB_OK) {
            return rc;
        }
    }
    for (size_t i = 0;
         i < catalog_object_count(run->now, kind->kind) && rc == LB_OK; i++) {
        const struct catalog_object *old =
            catalog_object_at(run->now, kind->kind, i);

        if (old->is_from_file && find_id(list, "id", old->id) == NULL) {
            lb_buf_printf(run->report, "- %s %s\n", kind->word, old->id);
            rc = catalog_remove_object(run->target->holder, run->db, kind->kind,
                                       old->id, run->err);
        }
    }
    return rc;
}

enum lb_err apply_run(const struct apply_target *target,
                      struct db *db,
                      const char *json,
                      struct lb_buf *report,
                      struct lb_error *err)
{
    static struct entry
        change; /* the writer thread's; good until its transaction ends */
    struct run run = {target, db, report, err, catalog_current(target->holder)};
    struct lb_json_fault fault;
    cJSON *root = NULL;
    enum lb_err rc =
        lb_json_parse(json, strlen(json), JSON_DEPTH, NULL, &root, &fault);

    if (rc != LB_OK) {
        catalog_unref(run.now);
        return lb_err_set(err, rc, "not JSON: %s", fault.reason);
    }
    rc = apply_sites(&run, root);
    for (size_t i = 0; i < target->kinds->count && rc == LB_OK; i++) {
        rc = apply_section(&run, &target->kinds->kinds[i], root);
    }
    if (rc == LB_OK && report->len > 0) {
        memset(&change, 0, sizeof(change));
        change.kind = ENTRY_CONFIG;
        change.received_at_ms = lb_clock_wall_ms();
        change.ts_at_ms = change.received_at_ms;
        rc = cursor_append(target->cursor, db, &change, err);
    }
    cJSON_Delete(root);
    catalog_unref(run.now);
    return rc;
}

/* --- through the writer
 * ----------------------------------------------------------- */

struct apply_job {
    struct writer_job job; /* first */
    const struct apply_target *target;
    char *json; /* owned */
    struct lb_buf report;
    void (*done)(void *ctx,
                 enum lb_err rc,
                 const char *report,
                 const struct lb_error *err);
    void *ctx;
};

static enum lb_err
run_job(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct apply_job *apply = (struct apply_job *)job;

    lb_buf_clear(&apply->report);
    return apply_run(apply->target, db, apply->json, &apply->report, err);
}

static void on_settled(void *ctx)
{
    struct apply_job *apply = ctx;

    apply->done(apply->ctx, apply->job.rc, lb_buf_text(&apply->report),
                &apply->job.err);
    lb_buf_deinit(&apply->report);
    free(apply->json);
    free(apply);
}

static void
done_job(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct apply_job *apply = (struct apply_job *)job;

    (void)err;
    if (rc == LB_OK && apply->target->settle != NULL) {
        apply->target->settle(apply->target->settle_ctx, on_settled, apply);
    } else {
        on_settled(apply);
    }
}

static enum lb_err submit(struct writer *writer,
                          const struct apply_target *target,
                          char *json,
                          void (*done)(void *ctx,
                                       enum lb_err rc,
                                       const char *report,
                                       const struct lb_error *err),
                          void *ctx,
                          struct lb_error *err)
{
    struct apply_job *apply = calloc(1, sizeof(*apply));

    if (apply == NULL || json == NULL) {
        free(apply);
        free(json);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    apply->job.run = run_job;
    apply->job.done = done_job;
    apply->target = target;
    apply->json = json;
    apply->done = done;
    apply->ctx = ctx;
    lb_buf_init(&apply->report, REPORT_BYTES);
    return writer_submit(writer, &apply->job);
}

enum lb_err apply_submit(struct writer *writer,
                         const struct apply_target *target,
                         const struct lb_yaml *root,
                         void (*done)(void *ctx,
                                      enum lb_err rc,
                                      const char *report,
                                      const struct lb_error *err),
                         void *ctx,
                         struct lb_error *err)
{
    struct lb_buf json;

    lb_buf_init(&json, 2 * LB_YAML_BYTES);
    lb_yaml_to_json(root, &json);
    return submit(writer, target, lb_buf_take(&json), done, ctx, err);
}

struct apply_api {
    struct writer *writer;
    struct apply_target target;
};

static void check_local(struct lb_http_request *request, void *ctx)
{
    (void)ctx;
    if (!lb_http_request_is_local(request)) {
        lb_http_respond_error(request, 404, "not_found",
                              "There is nothing at this path.", NULL);
    }
}

static void respond_report(void *ctx,
                           enum lb_err rc,
                           const char *report,
                           const struct lb_error *err)
{
    struct lb_http_request *request = ctx;

    if (rc == LB_OK) {
        lb_http_respond(request, 200, "text/plain; charset=utf-8", report,
                        strlen(report));
    } else {
        lb_http_respond_error(request, rc == LB_EFULL ? 503 : 422,
                              rc == LB_EFULL ? "disk_full" : "invalid",
                              err->text, NULL);
    }
}

static void handle_apply(struct lb_http_request *request, void *ctx)
{
    struct apply_api *api = ctx;
    struct lb_error err;

    if (submit(api->writer, &api->target,
               lb_buf_take(lb_http_request_body(request)), respond_report,
               request, &err) != LB_OK) {
        lb_http_respond_error(request, 503, "overloaded", err.text, NULL);
    }
}

enum lb_err apply_api_new(struct lb_http_server *server,
                          struct writer *writer,
                          const struct apply_target *target,
                          struct apply_api **api_out,
                          struct lb_error *err)
{
    struct apply_api *api = calloc(1, sizeof(*api));
    struct lb_http_route route = {"POST",       "/v1/apply", check_local,
                                  handle_apply, api,         0};

    *api_out = api;
    if (api == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    api->writer = writer;
    api->target = *target;
    return lb_http_server_add_route(server, &route, err);
}

void apply_api_free(struct apply_api *api)
{
    free(api);
}

/* --- the command
 * ------------------------------------------------------------------- */

static void print_faults(const char *path,
                         const struct lb_config_faults *faults)
{
    const char *line = lb_buf_text(&faults->lines);

    while (*line != '\0') {
        size_t len = strcspn(line, "\n");

        (void)fprintf(stderr, "%s:%.*s\n", path, (int)len, line);
        line += len + 1;
    }
}

static int send_file(struct lb_cli *cli, const struct lb_yaml *root)
{
    struct lb_error err;
    struct lb_buf json;
    struct lb_buf answer;
    const struct lb_client_request request = {.method = "POST",
                                              .path = "/v1/apply",
                                              .content_type =
                                                  "application/json",
                                              .body = &json};
    int status = 0;
    int exit_code = LB_CLI_OK;

    lb_buf_init(&json, 2 * LB_YAML_BYTES);
    lb_buf_init(&answer, REPORT_BYTES);
    lb_yaml_to_json(root, &json);
    if (lb_cli_request(cli, &request, &status, &answer, &err) != LB_OK) {
        exit_code = lb_cli_fail(cli, &err);
    } else if (status != 200) {
        exit_code = lb_cli_fail_answer(cli, status, &answer);
    } else {
        (void)printf("%s",
                     answer.len == 0 ? "no changes\n" : lb_buf_text(&answer));
    }
    lb_buf_deinit(&json);
    lb_buf_deinit(&answer);
    return exit_code;
}

int apply_command(struct lb_cli *cli,
                  const struct apply_kinds *kinds,
                  int argc,
                  char **argv)
{
    bool is_check = false;
    const struct lb_cli_option options[] = {
        {"check", NULL, "only validate the file", NULL, &is_check}};
    struct lb_config_faults faults;
    struct lb_config config;
    struct lb_yaml *root = NULL;
    struct lb_error err;
    const struct lb_cli_usage usage = {.line = "apply [--check] FILE",
                                       .options = options,
                                       .option_count = 1,
                                       .word_max = 1};
    struct lb_cli_words words;
    int exit_code = lb_cli_parse(cli, argc, argv, &usage, &words);

    if (exit_code >= 0) {
        return exit_code;
    }
    if (words.count == 0) {
        (void)fprintf(stderr, "linkbell apply: name the file to apply\n");
        return LB_CLI_USAGE;
    }
    lb_config_faults_init(&faults);
    if (lb_config_init(&config, &err) != LB_OK ||
        lb_config_load_file(words.at[0], &root, &err) != LB_OK) {
        (void)fprintf(stderr, "%s\n", err.text);
        exit_code = LB_CLI_FAILED;
    } else {
        lb_config_read(&config, root, &faults);
        apply_check(root, kinds, &faults);
        print_faults(words.at[0], &faults);
        exit_code = faults.count > 0 ? LB_CLI_FAILED
                    : is_check       ? LB_CLI_OK
                                     : send_file(cli, root);
        if (is_check && faults.count == 0) {
            (void)printf("%s is well\n", words.at[0]);
        }
    }
    lb_yaml_free(root);
    lb_config_deinit(&config);
    lb_config_faults_deinit(&faults);
    return exit_code;
}
