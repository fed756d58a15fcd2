/* buf.h - a growing byte buffer that can't be made without a maximum.  After
 * the first failure (maximum passed, out of memory) it stays failed and empty
 * of effect, so a writer checks once, at the end. */
#ifndef LINKBELL_BASE_BUF_H
#define LINKBELL_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct lb_buf {
    char *data; /* owned; NULL while empty; always NUL-terminated otherwise */
    size_t len; /* bytes in use, without the NUL */
    size_t cap; /* bytes allocated */
    size_t max; /* len never passes this */
    bool is_failed; /* set by the first append that did not fit */
};

void lb_buf_init(struct lb_buf *buf, size_t max_bytes);
void lb_buf_deinit(struct lb_buf *buf); /* frees; twice is fine */
void lb_buf_clear(struct lb_buf *buf);  /* keeps memory, forgets a failure */

/* Makes room for more bytes past len.  LB_ELIMIT past the maximum, LB_ENOMEM.
 */
LB_MUST_CHECK enum lb_err lb_buf_reserve(struct lb_buf *buf, size_t more);

/* Append; on failure the buffer is marked failed and unchanged. */
void lb_buf_add(struct lb_buf *buf, const void *bytes, size_t len);
void lb_buf_add_text(struct lb_buf *buf, const char *text);
void lb_buf_add_char(struct lb_buf *buf, char c);
void lb_buf_add_int(struct lb_buf *buf, int64_t value);
void lb_buf_printf(struct lb_buf *buf, const char *fmt, ...) LB_PRINTF(2, 3);

/* Drops the first count bytes (count <= len). */
void lb_buf_consume(struct lb_buf *buf, size_t count);

/* The bytes as a NUL-terminated string that the caller frees; the buffer is
 * empty afterwards.  NULL when the buffer is failed or memory ran out. */
char *lb_buf_take(struct lb_buf *buf);

/* The text so far, "" while empty; valid until the next change. */
const char *lb_buf_text(const struct lb_buf *buf);

#endif
