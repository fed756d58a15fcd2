/* geo.h - country, region and city of a client address, from MaxMind DB files.
 * An open database is immutable and counted: looking up changes and allocates
 * nothing, so any thread that holds a reference may do it. */
#ifndef LINKBELL_GEO_GEO_H
#define LINKBELL_GEO_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

#define GEO_FILES 8 /* of one database; two is usual: IPv4 and IPv6 apart */
#define GEO_FILE_BYTES ((int64_t)2 << 30) /* of one file */
#define GEO_NAME_BYTES 128 /* of a name; a longer one is unknown */

struct geo; /* one open database of one or more files */

struct geo_place {
    char country[3];                 /* ISO 3166-1 alpha-2; "" when unknown */
    char region[GEO_NAME_BYTES + 1]; /* ISO 3166-2 ("GB-ENG"), else its name */
    char city[GEO_NAME_BYTES + 1];   /* name in English */
};

/* What a file says of itself. */
struct geo_file {
    char type[65];       /* "GeoLite2-City"; cut */
    int64_t built_at_ms; /* of its metadata, held within the years to 9999 */
    unsigned ip_version; /* 4 or 6 */
    uint32_t node_count;
};

enum geo_check {
    GEO_CHECK_TYPE,   /* the metadata's type must speak of places */
    GEO_CHECK_NOTHING /* any MaxMind DB */
};

/* Opens count .mmdb files; the first of them that knows an address answers.
 * The bytes are copied, so a file may be replaced or cut while it is open.
 * geo_close() gives *geo_out back.  On error *geo_out is NULL and err names
 * file and reason: LB_ENOENT, LB_EIO, LB_EFORMAT, LB_ELIMIT, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err geo_open(const char *const *paths,
                                   size_t count,
                                   enum geo_check check,
                                   struct geo **geo_out,
                                   struct lb_error *err);

/* One more reference, for another holder. */
const struct geo *geo_ref(const struct geo *geo);
/* Gives a reference back; with the last one the files are closed.  NULL is
 * fine. */
void geo_close(const struct geo *geo);

/* Fills *place_out for addr, AF_INET or AF_INET6 (else LB_EINVAL).  IPv4 inside
 * IPv6 (mapped, NAT64, 6to4) is looked up as IPv4.  LB_ENOTFOUND, all strings
 * "": no entry, as for any special-use address.  LB_EFORMAT: bad data on the
 * way, counted in linkbell_geo_errors_total; what was read stays. */
LB_MUST_CHECK enum lb_err geo_find(const struct geo *geo,
                                   const struct sockaddr *addr,
                                   struct geo_place *place_out);

size_t geo_file_count(const struct geo *geo);
struct geo_file geo_file_at(const struct geo *geo, size_t index);

/* Of libmaxminddb, as it runs.  Static. */
const char *geo_version(void);

#endif
