/* day_pack.h - BLOBs of counted days as they are stored: short ones as day.h
 * makes them, long ones (cities, pages) as byte 2, 4 bytes of their length
 * (little-endian) and a zstd frame. */
#ifndef LINKBELL_AGGREGATE_DAY_PACK_H
#define LINKBELL_AGGREGATE_DAY_PACK_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define DAY_PACK_BYTES 512 /* shorter ones stay as they are */

struct day_pack; /* one thread's memory for packing and unpacking */

struct day_pack *day_pack_new(void);       /* NULL: out of memory */
void day_pack_free(struct day_pack *pack); /* NULL is fine */

/* Packs body where that makes it shorter. */
LB_MUST_CHECK enum lb_err day_pack_body(struct day_pack *pack,
                                        struct lb_buf *body);

/* The body that was packed into bytes, or these themselves; good until the next
 * call.  LB_EFORMAT: damaged, and body_out gets the bytes. */
LB_MUST_CHECK enum lb_err day_pack_read(struct day_pack *pack,
                                        const void *bytes,
                                        size_t len,
                                        const void **body_out,
                                        size_t *len_out);

#endif
