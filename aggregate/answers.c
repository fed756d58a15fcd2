/* answers.c - every way of asking the numbers. */
#include "aggregate/answers.h"

#include <stdlib.h>

#include "aggregate/export_api.h"
#include "aggregate/filtered_api.h"
#include "aggregate/funnel_api.h"
#include "aggregate/live_api.h"
#include "aggregate/stats_api.h"
#include "aggregate/v2_api.h"
#include "aggregate/verify.h"

struct answers {
    struct stats_api *stats;
    struct v2_api *v2;
    struct filtered_api *filtered;
    struct funnel_api *funnel;
    struct live_api *live;
    struct export_api *exports;
    struct verify_api *verify;
};

enum lb_err answers_new(struct lb_http_server *server,
                        const struct answer_parts *parts,
                        const struct lb_config *config,
                        struct answers **answers_out,
                        struct lb_error *err)
{
    const struct stats_parts asked = {parts->readers, parts->cursor};
    const struct export_parts taken = {parts->readers, parts->writer,
                                       parts->cursor};
    const struct verify_parts counted = {parts->readers, parts->writer,
                                         parts->days};
    struct answers *answers = calloc(1, sizeof(*answers));
    enum lb_err rc;

    *answers_out = answers;
    if (answers == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    rc = stats_api_new(server, parts->auth, &asked, config, &answers->stats,
                       err);
    rc = rc == LB_OK ? v2_api_new(server, parts->auth, &asked, config,
                                  &answers->v2, err)
                     : rc;
    rc = rc == LB_OK ? filtered_api_new(server, parts->auth, &asked, config,
                                        &answers->filtered, err)
                     : rc;
    rc = rc == LB_OK ? funnel_api_new(server, parts->auth, &asked, config,
                                      &answers->funnel, err)
                     : rc;
    rc = rc == LB_OK ? live_api_new(server, parts->auth, &asked, parts->alerts,
                                    &answers->live, err)
                     : rc;
    if (rc == LB_OK) {
        live_api_set_config(answers->live, config);
    }
    rc = rc == LB_OK ? export_api_new(server, parts->auth, &taken,
                                      &answers->exports, err)
                     : rc;
    return rc == LB_OK ? verify_api_new(server, parts->auth, &counted,
                                        &answers->verify, err)
                       : rc;
}

void answers_set_config(struct answers *answers, const struct lb_config *config)
{
    stats_api_set_config(answers->stats, config);
    v2_api_set_config(answers->v2, config);
    filtered_api_set_config(answers->filtered, config);
    funnel_api_set_config(answers->funnel, config);
    live_api_set_config(answers->live, config);
}

void answers_free(struct answers *answers)
{
    if (answers != NULL) {
        verify_api_free(answers->verify);
        export_api_free(answers->exports);
        filtered_api_free(answers->filtered);
        funnel_api_free(answers->funnel);
        live_api_free(answers->live);
        v2_api_free(answers->v2);
        stats_api_free(answers->stats);
        free(answers);
    }
}
