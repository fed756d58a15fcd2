/* catalog.c - snapshots of sites, links, tokens and objects. */
#include "sql/catalog.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/secret.h"

#define CATALOG_BYTES ((size_t)256 * 1024 * 1024)
#define KIND_COUNT 3
#define JSON_DEPTH 32

struct catalog {
    atomic_int refs;
    int64_t version;
    struct lb_arena *arena; /* owned; all texts and arrays */
    struct catalog_site *sites;
    size_t site_count;
    struct catalog_token *tokens;
    size_t token_count;
    struct catalog_object *objects[KIND_COUNT];
    size_t object_count[KIND_COUNT];
    struct catalog *base;       /* owned reference; NULL: it is its own */
    struct catalog_object only; /* of one with a base */
};

/* Grows by doubling inside the arena: what is left behind is small and goes
 * with it. */
static void *
grow(struct lb_arena *arena, void *items, size_t count, size_t item_bytes)
{
    void *more;

    if (count != 0 && (count & (count - 1)) != 0) {
        return items;
    }
    more = lb_arena_calloc(arena, (count == 0 ? 1 : count * 2) * item_bytes);
    if (more != NULL && items != NULL) {
        memcpy(more, items, count * item_bytes);
    }
    return more;
}

static const char *
copy_column(struct lb_arena *arena, sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text == NULL ? "" : lb_arena_text(arena, text, strlen(text));
}

static bool is_file(sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);

    return text != NULL && strcmp(text, "file") == 0;
}

static cJSON *
parse_column(struct catalog *catalog, sqlite3_stmt *stmt, int column)
{
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    struct lb_json_fault fault;
    cJSON *json = NULL;

    if (text == NULL || lb_json_parse(text, strlen(text), JSON_DEPTH,
                                      catalog->arena, &json, &fault) != LB_OK) {
        return NULL;
    }
    return json;
}

/* The site's ignore_ips; what is no network there (apply refuses it) is left
 * out. */
static enum lb_err read_ignored(const cJSON *settings,
                                struct lb_ip_set **set_out,
                                struct lb_error *err)
{
    const cJSON *list =
        cJSON_GetObjectItemCaseSensitive(settings, "ignore_ips");
    const char *networks[CATALOG_IGNORED];
    const cJSON *item;
    size_t count = 0;

    cJSON_ArrayForEach (item, list) {
        struct lb_ip_range range;

        if (count < CATALOG_IGNORED && cJSON_IsString(item) &&
            lb_ip_parse_range(item->valuestring, &range)) {
            networks[count++] = item->valuestring;
        }
    }
    return count == 0 ? LB_OK : lb_ip_set_new(networks, count, set_out, err);
}

static enum lb_err
read_site(struct catalog *catalog, sqlite3_stmt *stmt, struct lb_error *err)
{
    struct catalog_site *site;
    const cJSON *hosts = parse_column(catalog, stmt, 3);
    const char **texts;
    const cJSON *item;
    enum lb_err rc;

    catalog->sites = grow(catalog->arena, catalog->sites, catalog->site_count,
                          sizeof(*site));
    if (catalog->sites == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    site = &catalog->sites[catalog->site_count];
    site->number = sqlite3_column_int64(stmt, 0);
    site->id = copy_column(catalog->arena, stmt, 1);
    site->timezone = copy_column(catalog->arena, stmt, 2);
    site->settings = parse_column(catalog, stmt, 4);
    site->is_from_file = is_file(stmt, 5);
    site->created_at_ms = sqlite3_column_int64(stmt, 6);
    site->horizon_at_ms = sqlite3_column_type(stmt, 7) == SQLITE_NULL
                              ? INT64_MIN
                              : sqlite3_column_int64(stmt, 7);
    texts = lb_arena_calloc(catalog->arena,
                            ((size_t)cJSON_GetArraySize(hosts) + 1) *
                                sizeof(*texts));
    if (site->id == NULL || site->timezone == NULL || site->settings == NULL ||
        texts == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    cJSON_ArrayForEach (item, hosts) {
        texts[site->host_count++] = item->valuestring;
    }
    site->hosts = texts;
    catalog->site_count++;
    rc = read_ignored(site->settings, &site->ignored, err);
    return rc == LB_OK ? lb_zone_find(site->timezone, &site->zone, err) : rc;
}

static enum lb_err read_links(struct catalog *catalog,
                              struct db *db,
                              struct catalog_site *site,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_LINKS);
    struct catalog_link *links = NULL;
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site->number);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct catalog_link *link;

        links = grow(catalog->arena, links, site->link_count, sizeof(*links));
        if (links == NULL) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        link = &links[site->link_count++];
        link->number = sqlite3_column_int64(stmt, 0);
        link->slug = copy_column(catalog->arena, stmt, 1);
        link->title = copy_column(catalog->arena, stmt, 2);
        link->url = copy_column(catalog->arena, stmt, 3);
        link->intent = copy_column(catalog->arena, stmt, 4);
        link->is_enabled = sqlite3_column_int(stmt, 5) != 0;
        link->is_from_file = is_file(stmt, 6);
        link->created_at_ms = sqlite3_column_int64(stmt, 7);
        link->removed_at_ms = sqlite3_column_int64(stmt, 8);
    }
    site->links = links;
    return rc;
}

static enum lb_err
read_sites(struct catalog *catalog, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_SITES);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        rc = read_site(catalog, stmt, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            return rc;
        }
    }
    for (size_t i = 0; i < catalog->site_count && rc == LB_OK; i++) {
        rc = read_links(catalog, db, &catalog->sites[i], err);
    }
    return rc;
}

static enum lb_err
read_token(struct catalog *catalog, sqlite3_stmt *stmt, struct lb_error *err)
{
    struct catalog_token *token;
    const cJSON *sites;
    const cJSON *item;
    int64_t *numbers;

    catalog->tokens = grow(catalog->arena, catalog->tokens,
                           catalog->token_count, sizeof(*token));
    if (catalog->tokens == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    token = &catalog->tokens[catalog->token_count++];
    token->id = copy_column(catalog->arena, stmt, 0);
    token->prefix = copy_column(catalog->arena, stmt, 1);
    if (sqlite3_column_bytes(stmt, 2) == (int)sizeof(token->hash)) {
        memcpy(token->hash, sqlite3_column_blob(stmt, 2), sizeof(token->hash));
    }
    token->scopes = (unsigned)sqlite3_column_int(stmt, 3);
    token->is_all_sites = sqlite3_column_type(stmt, 4) == SQLITE_NULL;
    token->is_in_url = sqlite3_column_int(stmt, 5) != 0;
    token->created_at_ms = sqlite3_column_int64(stmt, 6);
    token->last_used_at_ms = sqlite3_column_int64(stmt, 7);
    token->revoked_at_ms = sqlite3_column_int64(stmt, 8);
    sites = parse_column(catalog, stmt, 4);
    numbers = lb_arena_calloc(catalog->arena,
                              ((size_t)cJSON_GetArraySize(sites) + 1) *
                                  sizeof(*numbers));
    if (numbers == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    cJSON_ArrayForEach (item, sites) {
        numbers[token->site_count++] = (int64_t)item->valuedouble;
    }
    token->sites = numbers;
    return LB_OK;
}

static enum lb_err
read_tokens(struct catalog *catalog, struct db *db, struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_TOKENS);
    bool has_row = false;
    enum lb_err rc;

    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        rc = read_token(catalog, stmt, err);
        if (rc != LB_OK) {
            (void)sqlite3_reset(stmt);
            break;
        }
    }
    return rc;
}

static enum lb_err read_objects(struct catalog *catalog,
                                struct db *db,
                                int kind,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_OBJECTS);
    bool has_row = false;
    enum lb_err rc;

    if (stmt != NULL) {
        (void)sqlite3_bind_int(stmt, 1, kind);
    }
    while ((rc = db_next(db, stmt, &has_row, err)) == LB_OK && has_row) {
        struct catalog_object *object;

        catalog->objects[kind] =
            grow(catalog->arena, catalog->objects[kind],
                 catalog->object_count[kind], sizeof(*object));
        if (catalog->objects[kind] == NULL) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
        object = &catalog->objects[kind][catalog->object_count[kind]++];
        object->number = sqlite3_column_int64(stmt, 0);
        object->id = copy_column(catalog->arena, stmt, 1);
        object->body = parse_column(catalog, stmt, 2);
        object->is_from_file = is_file(stmt, 3);
        object->created_at_ms = sqlite3_column_int64(stmt, 4);
        if (object->body == NULL) {
            (void)sqlite3_reset(stmt);
            return lb_err_set(err, LB_EFORMAT, "object %s is damaged",
                              object->id);
        }
    }
    return rc;
}

enum lb_err
catalog_load(struct db *db, struct catalog **catalog_out, struct lb_error *err)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    enum lb_err rc;

    *catalog_out = NULL;
    if (catalog == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    atomic_init(&catalog->refs, 1);
    catalog->arena = lb_arena_new(CATALOG_BYTES);
    rc = catalog->arena == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                : LB_OK;
    rc = rc == LB_OK ? db_meta_get(db, "catalog", 0, &catalog->version, err)
                     : rc;
    rc = rc == LB_OK ? read_sites(catalog, db, err) : rc;
    rc = rc == LB_OK ? read_tokens(catalog, db, err) : rc;
    for (int kind = 0; kind < KIND_COUNT && rc == LB_OK; kind++) {
        rc = read_objects(catalog, db, kind, err);
    }
    if (rc != LB_OK) {
        catalog_unref(catalog);
        return rc;
    }
    *catalog_out = catalog;
    return LB_OK;
}

struct catalog *catalog_with_object(struct catalog *base,
                                    enum catalog_kind kind,
                                    const struct catalog_object *object)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (catalog == NULL) {
        return NULL;
    }
    atomic_init(&catalog->refs, 1);
    catalog->version = base->version;
    catalog->sites = base->sites;
    catalog->site_count = base->site_count;
    catalog->tokens = base->tokens;
    catalog->token_count = base->token_count;
    catalog->base = catalog_ref(base);
    catalog->only = *object;
    catalog->objects[kind] = &catalog->only;
    catalog->object_count[kind] = 1;
    return catalog;
}

struct catalog *catalog_ref(struct catalog *catalog)
{
    (void)atomic_fetch_add(&catalog->refs, 1);
    return catalog;
}

static void free_own(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->site_count; i++) {
        lb_ip_set_free(catalog->sites[i].ignored);
    }
    lb_arena_free(catalog->arena);
}

void catalog_unref(struct catalog *catalog)
{
    if (catalog != NULL && atomic_fetch_sub(&catalog->refs, 1) == 1) {
        struct catalog *base = catalog->base;

        if (base == NULL) {
            free_own(catalog);
        }
        free(catalog);
        catalog_unref(base);
    }
}

int64_t catalog_version(const struct catalog *catalog)
{
    return catalog->version;
}

size_t catalog_site_count(const struct catalog *catalog)
{
    return catalog->site_count;
}

const struct catalog_site *catalog_site_at(const struct catalog *catalog,
                                           size_t index)
{
    return &catalog->sites[index];
}

/* Sites are sorted by id. */
const struct catalog_site *catalog_site_find(const struct catalog *catalog,
                                             const char *id)
{
    size_t low = 0;
    size_t high = catalog->site_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(catalog->sites[middle].id, id);

        if (order == 0) {
            return &catalog->sites[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct catalog_site *catalog_site_by_number(const struct catalog *catalog,
                                                  int64_t number)
{
    for (size_t i = 0; i < catalog->site_count; i++) {
        if (catalog->sites[i].number == number) {
            return &catalog->sites[i];
        }
    }
    return NULL;
}

static bool has_host(const struct catalog_site *site, const char *host)
{
    for (size_t i = 0; i < site->host_count; i++) {
        if (strcmp(site->hosts[i], host) == 0) {
            return true;
        }
    }
    return false;
}

const struct catalog_site *catalog_site_by_host(const struct catalog *catalog,
                                                const char *host)
{
    for (size_t i = 0; i < catalog->site_count; i++) {
        if (has_host(&catalog->sites[i], host)) {
            return &catalog->sites[i];
        }
    }
    return NULL;
}

const struct catalog_link *catalog_link_find(const struct catalog_site *site,
                                             const char *slug)
{
    for (size_t i = 0; i < site->link_count; i++) {
        if (strcmp(site->links[i].slug, slug) == 0) {
            return &site->links[i];
        }
    }
    return NULL;
}

size_t catalog_token_count(const struct catalog *catalog)
{
    return catalog->token_count;
}

const struct catalog_token *catalog_token_at(const struct catalog *catalog,
                                             size_t index)
{
    return &catalog->tokens[index];
}

const struct catalog_token *catalog_token_find(const struct catalog *catalog,
                                               const uint8_t hash[32])
{
    const struct catalog_token *found = NULL;

    for (size_t i = 0; i < catalog->token_count; i++) {
        if (lb_secret_is_equal(catalog->tokens[i].hash, hash,
                               sizeof(catalog->tokens[i].hash))) {
            found = &catalog->tokens[i];
        }
    }
    return found;
}

size_t catalog_object_count(const struct catalog *catalog,
                            enum catalog_kind kind)
{
    return catalog->object_count[kind];
}

const struct catalog_object *catalog_object_at(const struct catalog *catalog,
                                               enum catalog_kind kind,
                                               size_t index)
{
    return &catalog->objects[kind][index];
}

const struct catalog_object *catalog_object_find(const struct catalog *catalog,
                                                 enum catalog_kind kind,
                                                 const char *id)
{
    for (size_t i = 0; i < catalog->object_count[kind]; i++) {
        if (strcmp(catalog->objects[kind][i].id, id) == 0) {
            return &catalog->objects[kind][i];
        }
    }
    return NULL;
}
