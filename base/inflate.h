/* inflate.h - whole bodies out of gzip (RFC 1952) and zstd (RFC 8878), bounded;
 * and compression of what goes out in pieces. */
#ifndef LINKBELL_BASE_INFLATE_H
#define LINKBELL_BASE_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum lb_inflate_kind { LB_INFLATE_NONE, LB_INFLATE_GZIP, LB_INFLATE_ZSTD };

/* Appends the unpacked bytes to out.  LB_ELIMIT: out's maximum was reached
 * (inflating stopped there); LB_EFORMAT: broken, cut short, or followed by
 * other bytes; LB_ENOMEM. */
LB_MUST_CHECK enum lb_err lb_inflate(enum lb_inflate_kind kind,
                                     const char *bytes,
                                     size_t len,
                                     struct lb_buf *out);

struct lb_inflate_packer; /* one stream */

struct lb_inflate_packer *
lb_inflate_packer_new(enum lb_inflate_kind kind); /* NULL: out of memory */
void lb_inflate_packer_free(struct lb_inflate_packer *stream);
/* Appends packed bytes to out; is_end finishes the stream. */
LB_MUST_CHECK enum lb_err
lb_inflate_packer_add(struct lb_inflate_packer *stream,
                      const char *bytes,
                      size_t len,
                      bool is_end,
                      struct lb_buf *out);

#endif
