/* varint.h - numbers in as few bytes as they need: LEB128, seven bits a byte,
 * the lowest first; signed ones zigzag (0, -1, 1, -2, ...) before. */
#ifndef LINKBELL_BASE_VARINT_H
#define LINKBELL_BASE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define LB_VARINT_BYTES 10 /* at most */

static inline uint64_t lb_varint_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static inline int64_t lb_varint_unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

/* Writes at most LB_VARINT_BYTES; returns where the next may stand. */
static inline uint8_t *lb_varint_put(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline void lb_varint_add(struct lb_buf *out, uint64_t value)
{
    uint8_t bytes[LB_VARINT_BYTES];

    lb_buf_add(out, bytes, (size_t)(lb_varint_put(bytes, value) - bytes));
}

/* Reads the number at at; returns where it ends, NULL when it does not before
 * end or has more than 64 bits. */
static inline const uint8_t *
lb_varint_take(const uint8_t *at, const uint8_t *end, uint64_t *value_out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && at < end; shift += 7) {
        uint8_t byte = *at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value_out = value;
            return at;
        }
    }
    return NULL;
}

#endif
