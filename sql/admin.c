/* admin.c - opens what the owner's tools ask. */
#include "sql/admin.h"

#include <stdlib.h>
#include <string.h>

#include "sql/doctor_api.h"
#include "sql/object_api.h"
#include "sql/openapi.h"
#include "sql/token.h"

struct admin {
    struct token_api *tokens;
    struct apply_api *apply;
    struct object_api *objects;
    struct health_api *health;
    struct doctor_api *doctor;
};

enum lb_err admin_new(struct lb_http_server *server,
                      const struct admin_parts *parts,
                      struct admin **admin_out,
                      struct lb_error *err)
{
    struct object_parts objects = {
        parts->auth, parts->writer, parts->readers, parts->target, {NULL}};
    const struct health_parts watched = {parts->writer, parts->cursor,
                                         parts->geo};
    const struct doctor_parts looked = {parts->auth,           parts->readers,
                                        parts->writer,         parts->cursor,
                                        parts->target->holder, parts->geo};
    struct admin *admin = calloc(1, sizeof(*admin));
    enum lb_err rc;

    *admin_out = admin;
    if (admin == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    memcpy(objects.more, parts->more, sizeof(objects.more));
    rc = token_api_new(server, parts->auth, parts->writer,
                       parts->target->holder, &admin->tokens, err);
    rc = rc == LB_OK ? apply_api_new(server, parts->writer, parts->target,
                                     &admin->apply, err)
                     : rc;
    rc = rc == LB_OK ? object_api_new(server, &objects, &admin->objects, err)
                     : rc;
    rc = rc == LB_OK ? openapi_add(server, err) : rc;
    rc =
        rc == LB_OK ? doctor_api_new(server, &looked, &admin->doctor, err) : rc;
    return rc == LB_OK ? health_api_new(server, parts->auth, &watched,
                                        &admin->health, err)
                       : rc;
}

struct health_api *admin_health(struct admin *admin)
{
    return admin->health;
}

void admin_free(struct admin *admin)
{
    if (admin != NULL) {
        health_api_free(admin->health);
        doctor_api_free(admin->doctor);
        object_api_free(admin->objects);
        apply_api_free(admin->apply);
        token_api_free(admin->tokens);
        free(admin);
    }
}
