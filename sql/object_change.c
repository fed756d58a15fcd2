/* object_change.c - changes of the catalog, one at a time. */
#include "sql/object_change.h"

#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define BODY_BYTES ((size_t)1024 * 1024)
#define HOSTS 64

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static enum lb_err
put_site(struct object_change *change, struct db *db, struct lb_error *err)
{
    const char *zone = lb_json_text(change->body, "timezone");
    const char *hosts[HOSTS];
    struct catalog_site_draft draft = {.id = change->id,
                                       .timezone = zone == NULL ? "UTC" : zone,
                                       .hosts = hosts};
    struct lb_buf settings;
    const cJSON *item;
    int64_t number = 0;
    enum lb_err rc;

    cJSON_ArrayForEach (
        item, cJSON_GetObjectItemCaseSensitive(change->body, "hosts")) {
        if (draft.host_count < HOSTS && cJSON_IsString(item)) {
            hosts[draft.host_count++] = item->valuestring;
        }
    }
    lb_buf_init(&settings, BODY_BYTES);
    apply_site_settings(change->body, &settings);
    draft.settings_json = lb_buf_text(&settings);
    rc = catalog_put_site(change->target->holder, db, &draft, &number, err);
    lb_buf_deinit(&settings);
    return rc;
}

static enum lb_err put_link(struct object_change *change,
                            struct db *db,
                            const struct catalog *catalog,
                            struct lb_error *err)
{
    const cJSON *body = change->body;
    const struct catalog_site *site =
        catalog_site_find(catalog, lb_json_text(body, "site"));
    struct catalog_link_draft draft = {
        .slug = lb_json_text(body, "slug"),
        .title = or_empty(lb_json_text(body, "title")),
        .url = or_empty(lb_json_text(body, "url")),
        .intent = or_empty(lb_json_text(body, "intent")),
        .is_enabled =
            !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(body, "enabled"))};

    if (site == NULL) {
        return lb_err_set(err, LB_ENOTFOUND, "the site is gone");
    }
    draft.site = site->number;
    return catalog_put_link(change->target->holder, db, &draft, err);
}

static const struct apply_kind *kind_of(const struct object_change *change)
{
    const struct apply_kinds *kinds = change->target->kinds;
    enum catalog_kind wanted =
        change->kind == OBJECT_RULE ? CATALOG_RULE : CATALOG_DESTINATION;

    for (size_t i = 0; i < kinds->count; i++) {
        if (kinds->kinds[i].kind == wanted) {
            return &kinds->kinds[i];
        }
    }
    return NULL;
}

static enum lb_err put_object(struct object_change *change,
                              struct db *db,
                              const struct object_ref *before,
                              struct lb_error *err)
{
    const struct apply_kind *kind = kind_of(change);
    struct catalog_object_draft draft = {.kind = kind->kind, .id = change->id};
    struct lb_buf body;
    enum lb_err rc;

    draft.begins_anew = before != NULL && kind->begins_anew != NULL &&
                        kind->begins_anew(before->object->body, change->body);
    lb_buf_init(&body, BODY_BYTES);
    lb_json_add_item(&body, change->body);
    draft.body_json = lb_buf_text(&body);
    rc = catalog_put_object(change->target->holder, db, &draft, err);
    lb_buf_deinit(&body);
    return rc;
}

static enum lb_err remove_one(struct object_change *change,
                              struct db *db,
                              const struct object_ref *ref,
                              struct lb_error *err)
{
    struct catalog_holder *holder = change->target->holder;

    switch (change->kind) {
    case OBJECT_SITE:
        return catalog_remove_site(holder, db, ref->site->number, err);
    case OBJECT_LINK:
        return catalog_remove_link(holder, db, ref->site->number,
                                   ref->link->slug, err);
    case OBJECT_RULE:
    case OBJECT_DESTINATION:
        break;
    }
    return catalog_remove_object(holder, db, kind_of(change)->kind, change->id,
                                 err);
}

/* Whether what stands there allows the change. */
static enum lb_err check_there(const struct object_change *change,
                               const struct object_ref *ref,
                               bool is_there,
                               struct lb_error *err)
{
    bool is_removed = is_there && change->kind == OBJECT_LINK &&
                      ref->link->removed_at_ms != 0;

    if (change->is_new && is_there && !is_removed) {
        return lb_err_set(err, LB_EEXIST, "there is a %s", change->id);
    }
    if (!change->is_new && (!is_there || is_removed)) {
        return lb_err_set(err, LB_ENOTFOUND, "there is no %s", change->id);
    }
    if (is_there && !is_removed && object_json_is_from_file(ref)) {
        return lb_err_set(err, LB_EREADONLY, "the file manages %s", change->id);
    }
    return LB_OK;
}

static enum lb_err put_one(struct object_change *change,
                           struct db *db,
                           const struct catalog *catalog,
                           const struct object_ref *before,
                           struct lb_error *err)
{
    switch (change->kind) {
    case OBJECT_SITE:
        return put_site(change, db, err);
    case OBJECT_LINK:
        return put_link(change, db, catalog, err);
    case OBJECT_RULE:
    case OBJECT_DESTINATION:
        break;
    }
    return put_object(change, db, before, err);
}

/* The log says that something changed, as after apply. */
static enum lb_err
tell_log(struct object_change *change, struct db *db, struct lb_error *err)
{
    memset(&change->entry, 0, sizeof(change->entry));
    change->entry.kind = ENTRY_CONFIG;
    change->entry.received_at_ms = lb_clock_wall_ms();
    change->entry.ts_at_ms = change->entry.received_at_ms;
    return cursor_append(change->target->cursor, db, &change->entry, err);
}

static enum lb_err
run(struct writer_job *job, struct db *db, struct lb_error *err)
{
    struct object_change *change =
        (struct object_change *)(void *)((char *)job -
                                         offsetof(struct object_change, job));
    struct catalog *catalog = catalog_current(change->target->holder);
    struct object_ref ref;
    bool is_there = object_json_find(catalog, change->kind, change->id, &ref);

    change->rc = check_there(change, &ref, is_there, &change->err);
    if (change->rc == LB_OK) {
        change->rc = change->is_removal
                         ? remove_one(change, db, &ref, &change->err)
                         : put_one(change, db, catalog, is_there ? &ref : NULL,
                                   &change->err);
        change->rc = change->rc == LB_OK ? tell_log(change, db, &change->err)
                                         : change->rc;
    }
    catalog_unref(catalog);
    *err = change->err;
    return change->rc;
}

static void
done(struct writer_job *job, enum lb_err rc, const struct lb_error *err)
{
    struct object_change *change =
        (struct object_change *)(void *)((char *)job -
                                         offsetof(struct object_change, job));

    change->rc = rc;
    change->err = *err;
    if (rc == LB_OK && change->target->settle != NULL) {
        change->target->settle(change->target->settle_ctx, change->done,
                               change->ctx);
    } else {
        change->done(change->ctx);
    }
}

bool object_change_submit(struct object_change *change, struct writer *writer)
{
    change->job.run = run;
    change->job.done = done;
    return writer_submit(writer, &change->job) == LB_OK;
}

void object_change_deinit(struct object_change *change)
{
    cJSON_Delete(change->body);
    change->body = NULL;
}
