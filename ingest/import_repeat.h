/* import_repeat.h - how often a record stood before in a file. */
#ifndef LINKBELL_INGEST_IMPORT_REPEAT_H
#define LINKBELL_INGEST_IMPORT_REPEAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct import_repeat_count;

struct import_repeat_count *import_repeat_new(void); /* NULL: out of memory */
void import_repeat_free(struct import_repeat_count *count);  /* NULL is fine */
void import_repeat_clear(struct import_repeat_count *count); /* another file */

/* The record as a number; says that it will be counted soon. */
uint64_t import_repeat_expect(const struct import_repeat_count *count,
                              const char *text,
                              size_t len);

/* Counts a record by its number; *before_out is how often it came before.  Some
 * 14 bytes a record; LB_ENOMEM. */
LB_MUST_CHECK enum lb_err import_repeat_add(struct import_repeat_count *count,
                                            uint64_t number,
                                            uint32_t *before_out);

#endif
