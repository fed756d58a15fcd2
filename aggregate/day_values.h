/* day_values.h - the values of days' dimensions as numbers, for as long as some
 * days are counted together: each is looked up by its bytes once, and mostly
 * found again by where its text lies. */
#ifndef LINKBELL_AGGREGATE_DAY_VALUES_H
#define LINKBELL_AGGREGATE_DAY_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DAY_VALUES_BYTES 2100 /* longer values are cut, as in queries */

struct day_values;

/* For so many dimensions, numbered from 0.  NULL: out of memory. */
struct day_values *day_values_new(size_t dimension_count);
void day_values_free(struct day_values *values); /* NULL is fine */

/* The number of text in the dimension, from 1; 0 for NULL.  LB_ENOMEM. */
LB_MUST_CHECK enum lb_err day_values_code(struct day_values *values,
                                          size_t dimension,
                                          const char *text,
                                          uint32_t *code_out);
/* NULL for 0; good until the dimension is dropped. */
const char *day_values_text(const struct day_values *values,
                            size_t dimension,
                            uint32_t code);
/* One more than the greatest number given. */
size_t day_values_count(const struct day_values *values, size_t dimension);
size_t day_values_bytes(const struct day_values *values); /* memory held */
/* Nobody asks for the dimension any more. */
void day_values_drop(struct day_values *values, size_t dimension);

/* count numbers, all 0, which whoever used it leaves all 0; NULL: out of
 * memory.  There is one at a time. */
uint32_t *day_values_map(struct day_values *values, size_t count);

#endif
