/* inflate.h - whole bodies out of gzip (RFC 1952) and zstd (RFC 8878), bounded;
 * files in pieces; and compression of what goes out in pieces. */
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

struct lb_inflate_reader; /* one stream on its way in */

/* What a file that begins so holds. */
enum lb_inflate_kind lb_inflate_guess(const char *bytes, size_t len);
struct lb_inflate_reader *
lb_inflate_reader_new(enum lb_inflate_kind kind); /* NULL: out of memory */
void lb_inflate_reader_free(struct lb_inflate_reader *reader);
/* Takes bytes off *at (*left of them) and appends what they unpack to, some
 * 64 KiB at most: until *left is 0, there may be more.  LB_EFORMAT: broken. */
LB_MUST_CHECK enum lb_err
lb_inflate_reader_take(struct lb_inflate_reader *reader,
                       const char **at,
                       size_t *left,
                       struct lb_buf *out);
/* Whether nothing is missing where the bytes end. */
bool lb_inflate_reader_is_whole(const struct lb_inflate_reader *reader);

struct lb_inflate_packer; /* one stream on its way out */

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
