/* relabel.h - what the list of crawlers says now of an event that was judged by
 * an older one.  The user agent is gone; what is left are its device, browser
 * and system, and a hash of the list's entry that matched or might have.  Pure.
 */
#ifndef LINKBELL_INGEST_RELABEL_H
#define LINKBELL_INGEST_RELABEL_H

#include "sql/entry.h"

struct relabel; /* the list by its entries' hashes */

struct relabel *relabel_new(void); /* NULL: out of memory */
void relabel_free(struct relabel *relabel);

enum relabel_verdict {
    RELABEL_SAME,    /* the class stands */
    RELABEL_CHANGED, /* *traffic_out and *reason_out (static; NULL: none) */
    RELABEL_UNKNOWN  /* what is stored does not tell; the class stands */
};
enum relabel_verdict relabel_judge(const struct relabel *relabel,
                                   const struct entry *entry,
                                   enum entry_traffic *traffic_out,
                                   const char **reason_out);

#endif
