/* mmdb_writer.h - makes a MaxMind DB (format 2.0, maxmind.github.io/MaxMind-DB)
 * of countries: one tree for both families, IPv4 below ::/96, each record
 * {"country": {"iso_code": "FR"}}.  No input or output, no clock. */
#ifndef LINKBELL_GEO_MMDB_WRITER_H
#define LINKBELL_GEO_MMDB_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"

struct mmdb_writer;

struct mmdb_writer *mmdb_writer_new(void);         /* NULL: out of memory */
void mmdb_writer_free(struct mmdb_writer *writer); /* NULL is fine */

/* All addresses of range belong to country, two letters A-Z; a later range wins
 * over an earlier one.  LB_EINVAL when its ends are of two families or in the
 * wrong order, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err mmdb_writer_add(struct mmdb_writer *writer,
                                          const struct lb_ip_range *range,
                                          const char *country);

struct mmdb_writer_about {
    const char *type; /* "linkbell-Country" */
    const char *description;
    const char *source;
    const char *licence;
    int64_t built_at_ms;
};

/* The whole file.  LB_ELIMIT when it does not fit into out, LB_ENOMEM. */
LB_MUST_CHECK enum lb_err
mmdb_writer_finish(struct mmdb_writer *writer,
                   const struct mmdb_writer_about *about,
                   struct lb_buf *out);

#endif
