/* datacentre.h - networks whose visitors are machines: a file with one a line,
 * read at start and again when the settings are.  A file that is bad or missing
 * is logged; what was read before it stays.  The loop thread's; a list that it
 * gave out is immutable and may be asked by any thread. */
#ifndef LINKBELL_INGEST_DATACENTRE_H
#define LINKBELL_INGEST_DATACENTRE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/ip_set.h"
#include "sql/pool.h"

#define DATACENTRE_FILE_BYTES ((size_t)64 << 20)

struct datacentre;
struct datacentre_list;

/* Reads the file at path, "" for none, before it returns.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err datacentre_new(const char *path,
                                         struct datacentre **datacentre_out,
                                         struct lb_error *err);
void datacentre_free(struct datacentre *datacentre); /* NULL is fine; no job of
                                                        its may be under way */

/* Reads the file anew on a thread of pool. */
void datacentre_reload(struct datacentre *datacentre,
                       const char *path,
                       struct pool *pool);

/* The list of now for some questions, given back by datacentre_release();
 * NULL: none. */
struct datacentre_list *datacentre_current(struct datacentre *datacentre);
void datacentre_release(struct datacentre_list *list); /* NULL is fine */

/* False for a list of NULL and for no address.  Any thread. */
bool datacentre_list_has(const struct datacentre_list *list,
                         const struct lb_ip *address);

#endif
