/* catalog.h - sites, links, tokens, and the objects of rules, destinations and
 * sources: an immutable snapshot that every folder asks, replaced as a whole
 * when something changes.  A snapshot is counted; readers on any thread hold
 * one. */
#ifndef LINKBELL_SQL_CATALOG_H
#define LINKBELL_SQL_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/ip_set.h"
#include "base/zone.h"
#include "sql/db.h"
#include "sql/writer.h"

#define CATALOG_IGNORED 64 /* of a site's ignore_ips */

struct catalog_link {
    int64_t number;
    const char *slug;
    const char *title; /* "" when none */
    const char *url;
    const char *intent; /* "" when none */
    bool is_enabled;
    bool is_from_file;
    int64_t created_at_ms;
    int64_t removed_at_ms; /* 0: still there */
};

struct catalog_site {
    int64_t number; /* dense, from 1; never reused */
    const char *id;
    const char *timezone;
    const struct lb_zone *zone;
    const char *const *hosts;
    size_t host_count;
    const struct catalog_link *links; /* by slug */
    size_t link_count;
    const cJSON *settings; /* lead_events, ignore_ips, badge, ...; an object */
    struct lb_ip_set *ignored; /* owned; ignore_ips; NULL: none */
    bool is_from_file;
    int64_t created_at_ms;
    /* Events with ts before it have aged out; INT64_MIN: none have. */
    int64_t horizon_at_ms;
};

enum catalog_scope {
    CATALOG_SCOPE_INGEST = 1,
    CATALOG_SCOPE_READ = 2,
    CATALOG_SCOPE_EXPORT = 4,
    CATALOG_SCOPE_ADMIN = 8 /* holds every scope */
};

struct catalog_token {
    const char *id;       /* tk_... */
    const char *prefix;   /* first 8 characters */
    uint8_t hash[32];     /* SHA-256 of the token */
    unsigned scopes;      /* enum catalog_scope, or-ed */
    const int64_t *sites; /* NULL with site_count 0: all */
    size_t site_count;
    bool is_all_sites;
    bool is_in_url;
    int64_t created_at_ms;
    int64_t last_used_at_ms; /* 0: never */
    int64_t revoked_at_ms;   /* 0: live */
};

enum catalog_kind {
    CATALOG_RULE = 0,
    CATALOG_DESTINATION = 1,
    CATALOG_SOURCE = 2
};

struct catalog_object {
    int64_t number; /* never reused; a rule that begins its state anew gets a
                       new one */
    const char *id;
    const cJSON *body; /* as in the file, without secrets; an object */
    bool is_from_file;
    int64_t created_at_ms;
};

struct catalog; /* one snapshot */

LB_MUST_CHECK enum lb_err
catalog_load(struct db *db, struct catalog **catalog_out, struct lb_error *err);
/* A snapshot with base's sites, links and tokens, and this object alone of its
 * kind, whose texts are borrowed; holds base.  NULL: out of memory. */
struct catalog *catalog_with_object(struct catalog *base,
                                    enum catalog_kind kind,
                                    const struct catalog_object *object);
struct catalog *catalog_ref(struct catalog *catalog);
void catalog_unref(struct catalog *catalog); /* NULL is fine */
/* Grows with each change of anything but tokens: whoever keeps what follows
 * from the catalog begins anew then, which a token's use must not make him do.
 */
int64_t catalog_version(const struct catalog *catalog);

size_t catalog_site_count(const struct catalog *catalog);
const struct catalog_site *catalog_site_at(const struct catalog *catalog,
                                           size_t index);
const struct catalog_site *catalog_site_find(const struct catalog *catalog,
                                             const char *id);
const struct catalog_site *catalog_site_by_number(const struct catalog *catalog,
                                                  int64_t number);
/* The site that has host among its hosts (folded, without port). */
const struct catalog_site *catalog_site_by_host(const struct catalog *catalog,
                                                const char *host);
const struct catalog_link *catalog_link_find(const struct catalog_site *site,
                                             const char *slug);
size_t catalog_token_count(const struct catalog *catalog);
const struct catalog_token *catalog_token_at(const struct catalog *catalog,
                                             size_t index);
/* Live or revoked; compares in constant time. */
const struct catalog_token *catalog_token_find(const struct catalog *catalog,
                                               const uint8_t hash[32]);
size_t catalog_object_count(const struct catalog *catalog,
                            enum catalog_kind kind);
const struct catalog_object *catalog_object_at(const struct catalog *catalog,
                                               enum catalog_kind kind,
                                               size_t index);
const struct catalog_object *catalog_object_find(const struct catalog *catalog,
                                                 enum catalog_kind kind,
                                                 const char *id);

/* Where the current snapshot is kept.  It is a member of the writer: after a
 * commit in which catalog_note_change() was called it loads the new snapshot
 * and publishes it before any job of that group is reported. */
struct catalog_holder;
LB_MUST_CHECK enum lb_err catalog_holder_new(struct writer *writer,
                                             struct catalog_holder **holder_out,
                                             struct lb_error *err);
void catalog_holder_free(struct catalog_holder *holder);
/* Any thread; catalog_unref() it. */
struct catalog *catalog_current(struct catalog_holder *holder);
/* Writer thread, inside a job. */
void catalog_note_change(struct catalog_holder *holder);

/* Changes, on the writer thread inside a job.  Each notes the change in holder.
 * Sites: number kept when the id exists.  links_json etc. are validated by the
 * caller (apply).  Errors: LB_EEXIST, LB_ENOTFOUND, LB_EINVAL, SQLite's. */
struct catalog_site_draft {
    const char *id;
    const char *timezone;
    const char *const *hosts;
    size_t host_count;
    const char *settings_json;
    bool is_from_file;
};
struct catalog_link_draft {
    int64_t site;
    const char *slug;
    const char *title;
    const char *url;
    const char *intent;
    bool is_enabled;
    bool is_from_file;
};
struct catalog_object_draft {
    enum catalog_kind kind;
    const char *id;
    const char *body_json;
    bool is_from_file;
    bool begins_anew; /* with a new number (rules: state begins anew) */
};
LB_MUST_CHECK enum lb_err
catalog_put_site(struct catalog_holder *holder,
                 struct db *db,
                 const struct catalog_site_draft *draft,
                 int64_t *number_out,
                 struct lb_error *err);
/* The site's row stays (its number is in the log); it is no longer found by id.
 */
LB_MUST_CHECK enum lb_err catalog_remove_site(struct catalog_holder *holder,
                                              struct db *db,
                                              int64_t number,
                                              struct lb_error *err);
LB_MUST_CHECK enum lb_err
catalog_put_link(struct catalog_holder *holder,
                 struct db *db,
                 const struct catalog_link_draft *draft,
                 struct lb_error *err);
LB_MUST_CHECK enum lb_err catalog_remove_link(struct catalog_holder *holder,
                                              struct db *db,
                                              int64_t site,
                                              const char *slug,
                                              struct lb_error *err);
LB_MUST_CHECK enum lb_err
catalog_put_object(struct catalog_holder *holder,
                   struct db *db,
                   const struct catalog_object_draft *draft,
                   struct lb_error *err);
LB_MUST_CHECK enum lb_err catalog_remove_object(struct catalog_holder *holder,
                                                struct db *db,
                                                enum catalog_kind kind,
                                                const char *id,
                                                struct lb_error *err);
LB_MUST_CHECK enum lb_err catalog_put_token(struct catalog_holder *holder,
                                            struct db *db,
                                            const struct catalog_token *token,
                                            struct lb_error *err);
LB_MUST_CHECK enum lb_err catalog_revoke_token(struct catalog_holder *holder,
                                               struct db *db,
                                               const char *id,
                                               struct lb_error *err);

LB_MUST_CHECK enum lb_err catalog_use_token(struct catalog_holder *holder,
                                            struct db *db,
                                            const char *id,
                                            int64_t at_ms,
                                            struct lb_error *err);

#endif
