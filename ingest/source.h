/* source.h - from referrer, campaign and click identifier to the name of a
 * source. Pure; the table of known sources is tables/sources.inc. */
#ifndef LINKBELL_INGEST_SOURCE_H
#define LINKBELL_INGEST_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "ingest/utm.h"

#define SOURCE_REFERRER_BYTES 2048 /* a longer referrer is cut */
#define SOURCE_STORED_BYTES 255    /* and this much of host and path is kept */
#define SOURCE_HOST_BYTES 253      /* RFC 1035, 2.3.4 */
#define SOURCE_DIRECT "Direct / None"

enum source_category {
    SOURCE_SEARCH,
    SOURCE_SOCIAL,
    SOURCE_VIDEO,
    SOURCE_SHOPPING,
    SOURCE_EMAIL,
    SOURCE_AI,
    SOURCE_AUDIO,
    SOURCE_REFERRAL
};

struct source_row {
    const char *name;
    enum source_category category;
    const char
        *hosts;       /* separated by spaces; "google.*" any country's domain */
    const char *apps; /* Android packages, likewise */
    const char *aliases; /* of utm_source, separated by commas, folded */
    const char *paid_aliases;
};

struct source_table; /* the table, indexed; read-only once made, any thread */

struct source_table *source_table_new(void); /* NULL: out of memory */
void source_table_free(struct source_table *table);

enum source_referrer_kind { SOURCE_NOTHING, SOURCE_HOST, SOURCE_APP };

struct source_referrer {
    enum source_referrer_kind kind;
    const char *host; /* folded host without port, or the app's package */
    const char
        *stored; /* what an event keeps: host + path, or android-app://... */
};

/* What is the page's own: a referrer equal to one of these (each without
 * "www.") is nothing. */
struct source_self {
    const char *url_host; /* of the event's URL; NULL: none */
    const char *site_id;
    const char *const *hosts;
    size_t host_count;
};

/* Reads a referrer as a browser, an app or a back end sends it.  LB_ENOMEM when
 * the arena is full. */
LB_MUST_CHECK enum lb_err
source_read_referrer(const struct source_table *table,
                     const char *referrer,
                     size_t len,
                     const struct source_self *self,
                     struct lb_arena *arena,
                     struct source_referrer *referrer_out);

struct source_verdict {
    const char *name;             /* never NULL; SOURCE_DIRECT when unknown */
    const struct source_row *row; /* NULL: not in the table */
    bool is_paid_alias; /* utm_source is one of the row's paid aliases */
    bool is_known;      /* false: direct */
};

LB_MUST_CHECK enum lb_err source_decide(const struct source_table *table,
                                        const struct utm *utm,
                                        const struct source_referrer *referrer,
                                        struct lb_arena *arena,
                                        struct source_verdict *verdict_out);

/* The host of a URL: folded, without user info, port and trailing dots, cut at
 * SOURCE_HOST_BYTES; NULL in *host_out when text is no URL with a host. */
LB_MUST_CHECK enum lb_err source_url_host(const char *url,
                                          size_t len,
                                          struct lb_arena *arena,
                                          const char **host_out);

#endif
