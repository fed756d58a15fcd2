/* object_json.c - objects as JSON. */
#include "sql/object_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

static enum catalog_kind catalog_kind_of(enum object_kind kind)
{
    return kind == OBJECT_RULE ? CATALOG_RULE : CATALOG_DESTINATION;
}

static int compare_refs(const void *left, const void *right)
{
    return strcmp(((const struct object_ref *)left)->id,
                  ((const struct object_ref *)right)->id);
}

static void fill_link(struct object_ref *ref,
                      const struct catalog_site *site,
                      const struct catalog_link *link)
{
    *ref = (struct object_ref){.kind = OBJECT_LINK, .site = site, .link = link};
    (void)snprintf(ref->id, sizeof(ref->id), "%s:%s", site->id, link->slug);
}

static void fill_site(struct object_ref *ref, const struct catalog_site *site)
{
    *ref = (struct object_ref){.kind = OBJECT_SITE, .site = site};
    (void)snprintf(ref->id, sizeof(ref->id), "%s", site->id);
}

static void fill_object(struct object_ref *ref,
                        enum object_kind kind,
                        const struct catalog_object *object)
{
    *ref = (struct object_ref){.kind = kind, .object = object};
    (void)snprintf(ref->id, sizeof(ref->id), "%s", object->id);
}

static size_t count_most(const struct catalog *catalog, enum object_kind kind)
{
    size_t count = 0;

    if (kind == OBJECT_SITE) {
        return catalog_site_count(catalog);
    }
    if (kind != OBJECT_LINK) {
        return catalog_object_count(catalog, catalog_kind_of(kind));
    }
    for (size_t i = 0; i < catalog_site_count(catalog); i++) {
        count += catalog_site_at(catalog, i)->link_count;
    }
    return count;
}

static size_t fill_links(const struct catalog *catalog,
                         const char *site,
                         struct object_ref *refs)
{
    size_t count = 0;

    for (size_t i = 0; i < catalog_site_count(catalog); i++) {
        const struct catalog_site *at = catalog_site_at(catalog, i);

        for (size_t l = 0;
             l < at->link_count && (site == NULL || strcmp(site, at->id) == 0);
             l++) {
            fill_link(&refs[count++], at, &at->links[l]);
        }
    }
    return count;
}

static size_t fill_others(const struct catalog *catalog,
                          enum object_kind kind,
                          size_t count,
                          struct object_ref *refs)
{
    for (size_t i = 0; i < count; i++) {
        if (kind == OBJECT_SITE) {
            fill_site(&refs[i], catalog_site_at(catalog, i));
        } else {
            fill_object(&refs[i], kind,
                        catalog_object_at(catalog, catalog_kind_of(kind), i));
        }
    }
    return count;
}

enum lb_err object_json_list(const struct catalog *catalog,
                             enum object_kind kind,
                             const char *site,
                             struct object_ref **refs_out,
                             size_t *count_out,
                             struct lb_error *err)
{
    size_t most = count_most(catalog, kind);
    struct object_ref *refs = calloc(most + 1, sizeof(*refs));
    size_t count = 0;

    *refs_out = refs;
    *count_out = 0;
    if (refs == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (kind == OBJECT_LINK) {
        count = fill_links(catalog, site, refs);
    } else {
        count = fill_others(catalog, kind, most, refs);
    }
    qsort(refs, count, sizeof(*refs), compare_refs);
    *count_out = count;
    return LB_OK;
}

static bool find_link(const struct catalog *catalog,
                      const char *id,
                      struct object_ref *ref_out)
{
    const char *colon = strchr(id, ':');
    char site_id[OBJECT_ID_BYTES];
    const struct catalog_site *site;
    const struct catalog_link *link;

    if (colon == NULL || (size_t)(colon - id) >= sizeof(site_id)) {
        return false;
    }
    (void)snprintf(site_id, sizeof(site_id), "%.*s", (int)(colon - id), id);
    site = catalog_site_find(catalog, site_id);
    link = site == NULL ? NULL : catalog_link_find(site, colon + 1);
    if (link != NULL) {
        fill_link(ref_out, site, link);
    }
    return link != NULL;
}

bool object_json_find(const struct catalog *catalog,
                      enum object_kind kind,
                      const char *id,
                      struct object_ref *ref_out)
{
    const struct catalog_object *object;
    const struct catalog_site *site;

    if (kind == OBJECT_LINK) {
        return find_link(catalog, id, ref_out);
    }
    if (kind == OBJECT_SITE) {
        site = catalog_site_find(catalog, id);
        if (site != NULL) {
            fill_site(ref_out, site);
        }
        return site != NULL;
    }
    object = catalog_object_find(catalog, catalog_kind_of(kind), id);
    if (object != NULL) {
        fill_object(ref_out, kind, object);
    }
    return object != NULL;
}

bool object_json_is_from_file(const struct object_ref *ref)
{
    return ref->kind == OBJECT_LINK   ? ref->link->is_from_file
           : ref->kind == OBJECT_SITE ? ref->site->is_from_file
                                      : ref->object->is_from_file;
}

static void
add_end(struct lb_buf *out, int64_t created_at_ms, bool is_from_file)
{
    lb_json_add_key(out, "created");
    lb_json_add_time(out, created_at_ms);
    lb_buf_printf(out, ",\"managed_by\":\"%s\"", is_from_file ? "file" : "api");
}

static void add_members(struct lb_buf *out, const cJSON *object)
{
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        lb_json_add_key(out, item->string);
        lb_json_add_item(out, item);
    }
}

static void add_site(struct lb_buf *out, const struct catalog_site *site)
{
    lb_json_add_key(out, "id");
    lb_json_add_string(out, site->id);
    lb_json_add_key(out, "timezone");
    lb_json_add_string(out, site->timezone);
    lb_json_add_key(out, "hosts");
    lb_buf_add_char(out, '[');
    for (size_t i = 0; i < site->host_count; i++) {
        lb_json_add_comma(out);
        lb_json_add_string(out, site->hosts[i]);
    }
    lb_buf_add_char(out, ']');
    add_members(out, site->settings);
    add_end(out, site->created_at_ms, site->is_from_file);
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    lb_json_add_key(out, key);
    lb_json_add_string(out, text[0] == '\0' ? NULL : text);
}

static void add_link(struct lb_buf *out, const struct object_ref *ref)
{
    const struct catalog_link *link = ref->link;

    add_text(out, "id", ref->id);
    add_text(out, "site", ref->site->id);
    add_text(out, "slug", link->slug);
    add_text(out, "title", link->title);
    add_text(out, "url", link->url);
    add_text(out, "intent", link->intent);
    lb_buf_printf(out, ",\"enabled\":%s", link->is_enabled ? "true" : "false");
    lb_json_add_key(out, "created");
    lb_json_add_time(out, link->created_at_ms);
    lb_json_add_key(out, "removed");
    lb_json_add_time(out, link->removed_at_ms);
    lb_buf_printf(out, ",\"managed_by\":\"%s\"",
                  link->is_from_file ? "file" : "api");
}

enum lb_err object_json_add(struct lb_buf *out,
                            const struct object_ref *ref,
                            struct db *db,
                            object_more_fn more,
                            struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    lb_buf_add_char(out, '{');
    if (ref->kind == OBJECT_SITE) {
        add_site(out, ref->site);
    } else if (ref->kind == OBJECT_LINK) {
        add_link(out, ref);
    } else {
        add_members(out, ref->object->body);
        rc = more == NULL ? LB_OK : more(db, ref->object, out, err);
        add_end(out, ref->object->created_at_ms, ref->object->is_from_file);
    }
    lb_buf_add_char(out, '}');
    return rc;
}
