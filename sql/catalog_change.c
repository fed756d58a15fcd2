/* catalog_change.c - the current snapshot, and what changes it. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "sql/catalog.h"

struct catalog_holder {
    pthread_mutex_t lock;
    struct catalog *current; /* by lock; owned reference */
    struct db *db;           /* the writer's */
    /* The writer thread's, by this transaction: */
    bool is_changed;
    bool is_version_due;  /* by more than tokens */
    struct catalog *next; /* to be published at commit */
};

/* After the jobs of a transaction that changed something: the new snapshot is
 * read inside it, so that a commit can't be followed by a failure to load. */
static enum lb_err finish(void *ctx, struct db *db, struct lb_error *err)
{
    struct catalog_holder *holder = ctx;
    int64_t version = 0;
    enum lb_err rc;

    if (!holder->is_changed) {
        return LB_OK;
    }
    rc = db_meta_get(db, "catalog", 0, &version, err);
    if (rc == LB_OK && holder->is_version_due) {
        rc = db_meta_set(db, "catalog", version + 1, err);
    }
    return rc == LB_OK ? catalog_load(db, &holder->next, err) : rc;
}

static void committed(void *ctx)
{
    struct catalog_holder *holder = ctx;
    struct catalog *old;

    holder->is_changed = false;
    holder->is_version_due = false;
    if (holder->next == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&holder->lock);
    old = holder->current;
    holder->current = holder->next;
    holder->next = NULL;
    (void)pthread_mutex_unlock(&holder->lock);
    catalog_unref(old);
}

static void rolled_back(void *ctx)
{
    struct catalog_holder *holder = ctx;

    holder->is_changed = false;
    holder->is_version_due = false;
    catalog_unref(holder->next);
    holder->next = NULL;
}

enum lb_err catalog_holder_new(struct writer *writer,
                               struct catalog_holder **holder_out,
                               struct lb_error *err)
{
    struct catalog_holder *holder = calloc(1, sizeof(*holder));
    struct writer_member member = {holder, NULL, finish, committed,
                                   rolled_back};
    enum lb_err rc;

    *holder_out = NULL;
    if (holder == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    (void)pthread_mutex_init(&holder->lock, NULL);
    holder->db = writer_db(writer);
    rc = catalog_load(holder->db, &holder->current, err);
    if (rc != LB_OK) {
        catalog_holder_free(holder);
        return rc;
    }
    writer_add_member(writer, &member);
    *holder_out = holder;
    return LB_OK;
}

void catalog_holder_free(struct catalog_holder *holder)
{
    if (holder == NULL) {
        return;
    }
    catalog_unref(holder->current);
    catalog_unref(holder->next);
    (void)pthread_mutex_destroy(&holder->lock);
    free(holder);
}

struct catalog *catalog_current(struct catalog_holder *holder)
{
    struct catalog *catalog;

    (void)pthread_mutex_lock(&holder->lock);
    catalog = catalog_ref(holder->current);
    (void)pthread_mutex_unlock(&holder->lock);
    return catalog;
}

void catalog_note_change(struct catalog_holder *holder)
{
    holder->is_changed = true;
    holder->is_version_due = true;
}

static const char *manager(bool is_from_file)
{
    return is_from_file ? "file" : "api";
}

/* Runs stmt; when nothing was changed the object is not there. */
static enum lb_err change_token(struct catalog_holder *holder,
                                struct db *db,
                                sqlite3_stmt *stmt,
                                const char *id,
                                struct lb_error *err)
{
    enum lb_err rc = db_run(db, stmt, err);

    holder->is_changed = true;
    if (rc == LB_OK && sqlite3_changes(db_handle(db)) == 0) {
        return lb_err_set(err, LB_ENOTFOUND, "there is no %s", id);
    }
    return rc;
}

static enum lb_err change(struct catalog_holder *holder,
                          struct db *db,
                          sqlite3_stmt *stmt,
                          const char *id,
                          struct lb_error *err)
{
    catalog_note_change(holder);
    return change_token(holder, db, stmt, id, err);
}

enum lb_err catalog_put_site(struct catalog_holder *holder,
                             struct db *db,
                             const struct catalog_site_draft *draft,
                             int64_t *number_out,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_PUT_SITE);
    struct lb_buf hosts;
    bool has_row = false;
    enum lb_err rc;

    lb_buf_init(&hosts, (size_t)64 * 1024);
    lb_buf_add_char(&hosts, '[');
    for (size_t i = 0; i < draft->host_count; i++) {
        lb_json_add_comma(&hosts);
        lb_json_add_string(&hosts, draft->hosts[i]);
    }
    lb_buf_add_char(&hosts, ']');
    if (stmt != NULL) {
        db_bind_text(stmt, 1, draft->id);
        db_bind_text(stmt, 2, draft->timezone);
        db_bind_text(stmt, 3, lb_buf_text(&hosts));
        db_bind_text(stmt, 4, draft->settings_json);
        db_bind_text(stmt, 5, manager(draft->is_from_file));
        (void)sqlite3_bind_int64(stmt, 6, lb_clock_wall_ms());
    }
    rc = db_next(db, stmt, &has_row, err);
    if (has_row) {
        *number_out = sqlite3_column_int64(stmt, 0);
        rc = db_next(db, stmt, &has_row, err);
    }
    catalog_note_change(holder);
    lb_buf_deinit(&hosts);
    return rc;
}

enum lb_err catalog_remove_site(struct catalog_holder *holder,
                                struct db *db,
                                int64_t number,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_REMOVE_SITE);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, number);
        (void)sqlite3_bind_int64(stmt, 2, lb_clock_wall_ms());
    }
    return change(holder, db, stmt, "such site", err);
}

enum lb_err catalog_put_link(struct catalog_holder *holder,
                             struct db *db,
                             const struct catalog_link_draft *draft,
                             struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_PUT_LINK);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, draft->site);
        db_bind_text(stmt, 2, draft->slug);
        db_bind_text(stmt, 3, draft->title);
        db_bind_text(stmt, 4, draft->url);
        db_bind_text(stmt, 5, draft->intent);
        (void)sqlite3_bind_int(stmt, 6, draft->is_enabled);
        db_bind_text(stmt, 7, manager(draft->is_from_file));
        (void)sqlite3_bind_int64(stmt, 8, lb_clock_wall_ms());
    }
    return change(holder, db, stmt, draft->slug, err);
}

enum lb_err catalog_remove_link(struct catalog_holder *holder,
                                struct db *db,
                                int64_t site,
                                const char *slug,
                                struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_REMOVE_LINK);

    if (stmt != NULL) {
        (void)sqlite3_bind_int64(stmt, 1, site);
        db_bind_text(stmt, 2, slug);
        (void)sqlite3_bind_int64(stmt, 3, lb_clock_wall_ms());
    }
    return change(holder, db, stmt, slug, err);
}

enum lb_err catalog_put_object(struct catalog_holder *holder,
                               struct db *db,
                               const struct catalog_object_draft *draft,
                               struct lb_error *err)
{
    sqlite3_stmt *stmt;

    if (draft->begins_anew) {
        enum lb_err rc =
            catalog_remove_object(holder, db, draft->kind, draft->id, err);

        if (rc != LB_OK && rc != LB_ENOTFOUND) {
            return rc;
        }
    }
    stmt = db_stmt(db, SQL_CATALOG_PUT_OBJECT);
    if (stmt != NULL) {
        (void)sqlite3_bind_int(stmt, 1, (int)draft->kind);
        db_bind_text(stmt, 2, draft->id);
        db_bind_text(stmt, 3, draft->body_json);
        db_bind_text(stmt, 4, manager(draft->is_from_file));
        (void)sqlite3_bind_int64(stmt, 5, lb_clock_wall_ms());
    }
    return change(holder, db, stmt, draft->id, err);
}

enum lb_err catalog_remove_object(struct catalog_holder *holder,
                                  struct db *db,
                                  enum catalog_kind kind,
                                  const char *id,
                                  struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_REMOVE_OBJECT);

    if (stmt != NULL) {
        (void)sqlite3_bind_int(stmt, 1, (int)kind);
        db_bind_text(stmt, 2, id);
    }
    return change(holder, db, stmt, id, err);
}

enum lb_err catalog_put_token(struct catalog_holder *holder,
                              struct db *db,
                              const struct catalog_token *token,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_PUT_TOKEN);
    struct lb_buf sites;
    enum lb_err rc;

    lb_buf_init(&sites, (size_t)64 * 1024);
    lb_buf_add_char(&sites, '[');
    for (size_t i = 0; i < token->site_count; i++) {
        lb_json_add_comma(&sites);
        lb_buf_add_int(&sites, token->sites[i]);
    }
    lb_buf_add_char(&sites, ']');
    if (stmt != NULL) {
        db_bind_text(stmt, 1, token->id);
        db_bind_text(stmt, 2, token->prefix);
        (void)sqlite3_bind_blob(stmt, 3, token->hash, (int)sizeof(token->hash),
                                SQLITE_STATIC);
        (void)sqlite3_bind_int(stmt, 4, (int)token->scopes);
        db_bind_text(stmt, 5, token->is_all_sites ? NULL : lb_buf_text(&sites));
        (void)sqlite3_bind_int(stmt, 6, token->is_in_url);
        (void)sqlite3_bind_int64(stmt, 7, token->created_at_ms);
    }
    rc = change_token(holder, db, stmt, token->id, err);
    lb_buf_deinit(&sites);
    return rc;
}

enum lb_err catalog_revoke_token(struct catalog_holder *holder,
                                 struct db *db,
                                 const char *id,
                                 struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_REVOKE_TOKEN);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
        (void)sqlite3_bind_int64(stmt, 2, lb_clock_wall_ms());
    }
    return change_token(holder, db, stmt, id, err);
}

enum lb_err catalog_use_token(struct catalog_holder *holder,
                              struct db *db,
                              const char *id,
                              int64_t at_ms,
                              struct lb_error *err)
{
    sqlite3_stmt *stmt = db_stmt(db, SQL_CATALOG_USE_TOKEN);

    if (stmt != NULL) {
        db_bind_text(stmt, 1, id);
        (void)sqlite3_bind_int64(stmt, 2, at_ms);
    }
    return change_token(holder, db, stmt, id, err);
}
