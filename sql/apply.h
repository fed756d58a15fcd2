/* apply.h - makes sites, links, rules, destinations and sources match a file.
 */
#ifndef LINKBELL_SQL_APPLY_H
#define LINKBELL_SQL_APPLY_H

#include "base/cli.h"
#include "base/config.h"
#include "base/http_server.h"
#include "sql/auth.h"
#include "sql/catalog.h"
#include "sql/cursor.h"
#include "sql/writer.h"

/* What the owner of a section knows about it. */
struct apply_kind {
    const char *section; /* "rules" */
    const char *word;    /* "rule" */
    enum catalog_kind kind;
    /* Notes the faults of one object of the section. */
    void (*check)(const struct lb_yaml *object,
                  const struct lb_yaml *root,
                  struct lb_config_faults *faults);
    /* Whether a change makes the object begin anew; NULL: never. */
    bool (*begins_anew)(const cJSON *before, const cJSON *after);
};

struct apply_kinds {
    const struct apply_kind *kinds;
    size_t count;
};

/* Checks everything that stands in the file but the settings. */
void apply_check(const struct lb_yaml *root,
                 const struct apply_kinds *kinds,
                 struct lb_config_faults *faults);

/* Reads the settings and checks the whole file; faults go to standard error,
 * line by line.  path NULL: the defaults.  lb_config_deinit() config and free
 * *root_out in any case. */
LB_MUST_CHECK enum lb_err apply_load(const char *path,
                                     const struct apply_kinds *kinds,
                                     struct lb_config *config,
                                     struct lb_yaml **root_out,
                                     struct lb_error *err);

/* Inside a job: applies a checked file, given as JSON (lb_yaml_to_json of its
 * root). Appends one line a change to report; a changed configuration becomes a
 * log entry. */
struct apply_target {
    struct catalog_holder *holder;
    struct cursor *cursor;
    const struct apply_kinds *kinds;
    /* Called on the loop thread when the change stands; calls done when what it
     * changed works.  NULL: that is at once. */
    void (*settle)(void *settle_ctx, void (*done)(void *ctx), void *ctx);
    void *settle_ctx;
};
LB_MUST_CHECK enum lb_err apply_run(const struct apply_target *target,
                                    struct db *db,
                                    const char *json,
                                    struct lb_buf *report,
                                    struct lb_error *err);

/* Appends what of a site's object is neither id, zone, hosts nor links, as a
 * JSON object. */
void apply_site_settings(const cJSON *site, struct lb_buf *out);

/* POST /v1/apply on the local socket. */
struct apply_api;
LB_MUST_CHECK enum lb_err apply_api_new(struct lb_http_server *server,
                                        struct writer *writer,
                                        const struct apply_target *target,
                                        struct apply_api **api_out,
                                        struct lb_error *err);
void apply_api_free(struct apply_api *api);

/* Applies the file's tree through the writer; done on the loop thread with the
 * report. */
LB_MUST_CHECK enum lb_err apply_submit(struct writer *writer,
                                       const struct apply_target *target,
                                       const struct lb_yaml *root,
                                       void (*done)(void *ctx,
                                                    enum lb_err rc,
                                                    const char *report,
                                                    const struct lb_error *err),
                                       void *ctx,
                                       struct lb_error *err);

/* `linkbell apply [--check] FILE`. */
int apply_command(struct lb_cli *cli,
                  const struct apply_kinds *kinds,
                  int argc,
                  char **argv);

#endif
