/* geo_build.h - makes a country database from the text files of Debian's
 * tor-geoipdb: IPFire's location data, one range a line. */
#ifndef LINKBELL_GEO_GEO_BUILD_H
#define LINKBELL_GEO_GEO_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define GEO_BUILD_IPV4 "/usr/share/tor/geoip"
#define GEO_BUILD_IPV6 "/usr/share/tor/geoip6"

struct geo_build_result {
    size_t range_count;    /* written */
    size_t left_out_count; /* of no country: "??", "EU", withdrawn codes */
    size_t bytes;
    int64_t made_at_ms; /* when the source was generated */
};

/* Reads ipv4_path ("16777216,16777471,AU") and ipv6_path
 * ("2001:200::,2001:200:ffff:...,JP"); '#' begins a comment line.  Writes
 * out_path under another name first, so that whoever opens it sees the old file
 * or the new one.  Errors name file, line and fault: LB_ENOENT, LB_EIO,
 * LB_EFORMAT, LB_EREADONLY, LB_EFULL, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err geo_build(const char *ipv4_path,
                                    const char *ipv6_path,
                                    const char *out_path,
                                    struct geo_build_result *result_out,
                                    struct lb_error *err);

#endif
