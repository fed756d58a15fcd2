/* segment_pack.h - blocks of a segment's columns as bytes: numbers as
 * differences in planes of bytes, codes as they are, all through zstd (RFC
 * 8878) with its checksum.  Pure; a packer belongs to one thread at a time.
 *
 * A block of numbers: 1 byte mode and width, 8 bytes base (little-endian), then
 * the zstd frame of width planes of count bytes each, low bytes first. */
#ifndef LINKBELL_SQL_SEGMENT_PACK_H
#define LINKBELL_SQL_SEGMENT_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SEGMENT_PACK_BLOCK 8192 /* values in a block, at most */

struct segment_packer;

struct segment_packer *segment_pack_new(void);         /* NULL: out of memory */
void segment_pack_free(struct segment_packer *packer); /* NULL is fine */

/* Appends count numbers (at most SEGMENT_PACK_BLOCK) to out.  beside: count
 * numbers that these are near to, NULL: none. */
LB_MUST_CHECK enum lb_err segment_pack_numbers(struct segment_packer *packer,
                                               const int64_t *numbers,
                                               const int64_t *beside,
                                               size_t count,
                                               struct lb_buf *out);
/* Appends count codes, each below 1 << 8 * width; width is 1 or 2. */
LB_MUST_CHECK enum lb_err segment_pack_codes(struct segment_packer *packer,
                                             const uint16_t *codes,
                                             size_t count,
                                             unsigned width,
                                             struct lb_buf *out);
LB_MUST_CHECK enum lb_err segment_pack_bytes(struct segment_packer *packer,
                                             const char *bytes,
                                             size_t len,
                                             struct lb_buf *out);

/* The way back.  LB_EFORMAT: damaged; LB_ENOMEM. */
LB_MUST_CHECK enum lb_err
segment_pack_read_numbers(struct segment_packer *packer,
                          const char *bytes,
                          size_t len,
                          const int64_t *beside,
                          size_t count,
                          int64_t *numbers_out);
LB_MUST_CHECK enum lb_err segment_pack_read_codes(struct segment_packer *packer,
                                                  const char *bytes,
                                                  size_t len,
                                                  size_t count,
                                                  unsigned width,
                                                  uint16_t *codes_out);
/* out gets exactly raw_len bytes. */
LB_MUST_CHECK enum lb_err segment_pack_read_bytes(struct segment_packer *packer,
                                                  const char *bytes,
                                                  size_t len,
                                                  char *out,
                                                  size_t raw_len);

#endif
