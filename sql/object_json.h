/* object_json.h - sites, links, rules and destinations as the routes answer
 * them. */
#ifndef LINKBELL_SQL_OBJECT_JSON_H
#define LINKBELL_SQL_OBJECT_JSON_H

#include "base/buf.h"
#include "sql/catalog.h"
#include "sql/object_draft.h"

/* Adds members to an object's answer that only its owner knows (state of a
 * destination, when a rule last fired).  Inside a reader's transaction. */
typedef enum lb_err (*object_more_fn)(struct db *db,
                                      const struct catalog_object *object,
                                      struct lb_buf *out,
                                      struct lb_error *err);

/* One object as lists walk it. */
struct object_ref {
    enum object_kind kind;
    char id[OBJECT_ID_BYTES];
    const struct catalog_site *site;
    const struct catalog_link *link;
    const struct catalog_object *object;
};

/* All objects of a kind by id; *refs_out is the caller's to free.  Links of the
 * site alone unless site is NULL. */
LB_MUST_CHECK enum lb_err object_json_list(const struct catalog *catalog,
                                           enum object_kind kind,
                                           const char *site,
                                           struct object_ref **refs_out,
                                           size_t *count_out,
                                           struct lb_error *err);
/* The object of that id; false when there is none. */
bool object_json_find(const struct catalog *catalog,
                      enum object_kind kind,
                      const char *id,
                      struct object_ref *ref_out);

bool object_json_is_from_file(const struct object_ref *ref);

/* Appends the object; more may be NULL. */
LB_MUST_CHECK enum lb_err object_json_add(struct lb_buf *out,
                                          const struct object_ref *ref,
                                          struct db *db,
                                          object_more_fn more,
                                          struct lb_error *err);

#endif
