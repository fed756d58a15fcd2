/* import_api.h - the local routes of imports.  They come by the local socket
 * alone:
 *
 *   POST /v1/import/start?session=NAME[&site=SITE]
 *   POST /v1/import?session=NAME&run=R&number=N[&last=1]   body: import_order.h
 */
#ifndef LINKBELL_INGEST_IMPORT_API_H
#define LINKBELL_INGEST_IMPORT_API_H

#include <stdbool.h>

#include "base/err.h"
#include "base/http_server.h"
#include "ingest/intake.h"

struct import_api;

LB_MUST_CHECK enum lb_err import_api_new(struct lb_http_server *server,
                                         struct intake *intake,
                                         struct import_api **api_out,
                                         struct lb_error *err);
void import_api_free(struct import_api *api); /* NULL is fine */

/* Any thread: whether records wait to be appended. */
bool import_api_is_busy(const struct import_api *api);

#endif
