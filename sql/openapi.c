/* openapi.c - serves the description of the routes. */
#include "sql/openapi.h"

#include <string.h>

#include "base/http_respond.h"

extern const char linkbell_openapi[];

static void handle(struct lb_http_request *http, void *ctx)
{
    (void)ctx;
    lb_http_respond(http, 200, "application/json", linkbell_openapi,
                    strlen(linkbell_openapi));
}

enum lb_err openapi_add(struct lb_http_server *server, struct lb_error *err)
{
    const struct lb_http_route route = {
        "GET", "/openapi.json", NULL, handle, NULL, 0};

    return lb_http_server_add_route(server, &route, err);
}
