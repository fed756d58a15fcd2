/* v2_text.h - texts of the stats dialect.  Pure. */
#ifndef LINKBELL_AGGREGATE_V2_TEXT_H
#define LINKBELL_AGGREGATE_V2_TEXT_H

#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"

/* JSON with a space after each comma and colon, as the dialect's errors quote
 * what was sent. */
void v2_text_add_json(struct lb_buf *buf, const cJSON *json);

/* The same value without the spaces is lb_json_add_item()'s. */

/* A number with so many digits after the point at most, and one at least. */
void v2_text_add_float(struct lb_buf *buf, double value, int decimals);

/* {"value":40.0,"currency":"EUR","short":"€40.0","long":"€40.00"} */
void v2_text_add_money(struct lb_buf *buf, double value, const char *currency);

#endif
