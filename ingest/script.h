/* script.h - GET /lb.js, the tracker for pages, compiled in; also under the
 * path that pages made for Plausible load. */
#ifndef LINKBELL_INGEST_SCRIPT_H
#define LINKBELL_INGEST_SCRIPT_H

#include "base/err.h"
#include "base/http_server.h"

struct script;

/* Packs the script and adds the routes.  On an error what was made is in
 * *script_out, for script_free(). */
LB_MUST_CHECK enum lb_err script_new(struct lb_http_server *server,
                                     struct script **script_out,
                                     struct lb_error *err);
void script_free(struct script *script); /* NULL is fine */

#endif
