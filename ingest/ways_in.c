/* ways_in.c - every way by which events come. */
#include "ingest/ways_in.h"

#include <stdlib.h>

#include "ingest/hook.h"
#include "ingest/import_api.h"
#include "ingest/ingest_api.h"
#include "ingest/pixel.h"
#include "ingest/plausible_api.h"
#include "ingest/redirect_api.h"
#include "ingest/relabel_api.h"
#include "ingest/script.h"

struct ways_in {
    struct intake *intake;
    struct ingest_api *events;
    struct import_api *imports;
    struct redirect_api *redirects;
    struct relabel_api *relabel;
    struct hook_api *hooks;
    struct script *script;
};

enum lb_err ways_in_new(struct lb_http_server *server,
                        const struct intake_parts *parts,
                        const struct lb_config *config,
                        struct ways_in **ways_out,
                        struct lb_error *err)
{
    struct ways_in *ways = calloc(1, sizeof(*ways));
    enum lb_err rc;

    *ways_out = ways;
    if (ways == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = intake_new(parts, config, &ways->intake, err);
    rc = rc == LB_OK ? ingest_api_new(server, ways->intake, &ways->events, err)
                     : rc;
    rc = rc == LB_OK ? import_api_new(server, ways->intake, &ways->imports, err)
                     : rc;
    rc = rc == LB_OK
             ? redirect_api_new(server, ways->intake, &ways->redirects, err)
             : rc;
    rc = rc == LB_OK ? hook_api_new(server, ways->intake, &ways->hooks, err)
                     : rc;
    rc = rc == LB_OK
             ? relabel_api_new(server, ways->intake, &ways->relabel, err)
             : rc;
    rc = rc == LB_OK ? plausible_api_add(server, ways->intake, err) : rc;
    rc = rc == LB_OK ? pixel_add(server, ways->intake, err) : rc;
    rc = rc == LB_OK ? script_new(server, &ways->script, err) : rc;
    return rc;
}

void ways_in_set_config(struct ways_in *ways, const struct lb_config *config)
{
    intake_set_config(ways->intake, config);
    hook_api_reload(ways->hooks);
}

void ways_in_start(struct ways_in *ways)
{
    hook_api_reload(ways->hooks);
}

bool ways_in_are_loading(void *ctx)
{
    const struct ways_in *ways = ctx;

    return import_api_is_busy(ways->imports);
}

void ways_in_free(struct ways_in *ways)
{
    if (ways != NULL) {
        relabel_api_free(ways->relabel);
        hook_api_free(ways->hooks);
        script_free(ways->script);
        redirect_api_free(ways->redirects);
        import_api_free(ways->imports);
        ingest_api_free(ways->events);
        intake_free(ways->intake);
        free(ways);
    }
}
