/* json.h - strict JSON (RFC 8259, UTF-8) in and small emitters out.
 * cJSON 1.7.15 lets through what a strict reader must refuse and knows no line
 * and column, so bytes are checked here first and parsed by cJSON after. */
#ifndef LINKBELL_BASE_JSON_H
#define LINKBELL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

struct lb_json_fault {
    const char *code;   /* "bad_json" or "json_too_deep" */
    const char *reason; /* static, a few words */
    size_t line;        /* from 1 */
    size_t column;      /* from 1, in bytes */
};

/* Whether bytes are exactly one JSON value within white space; one leading byte
 * order mark is skipped.  On a fault *fault is filled and LB_EFORMAT (LB_ELIMIT
 * when nested deeper than max_depth) returned. */
LB_MUST_CHECK enum lb_err lb_json_check(const char *bytes,
                                        size_t len,
                                        unsigned max_depth,
                                        struct lb_json_fault *fault);

/* Checks, then parses.  Nodes come from arena (good until it is freed, nothing
 * to delete) or, with arena NULL, from malloc (cJSON_Delete() them). */
LB_MUST_CHECK enum lb_err lb_json_parse(const char *bytes,
                                        size_t len,
                                        unsigned max_depth,
                                        struct lb_arena *arena,
                                        cJSON **json_out,
                                        struct lb_json_fault *fault);

/* Parses what lb_json_check() has passed.  NULL: out of memory. */
cJSON *
lb_json_parse_checked(const char *bytes, size_t len, struct lb_arena *arena);

/* Objects made by hand, in an arena (NULL: no memory left).  Keys and texts are
 * borrowed; such a tree is only for reading.  The new member. */
cJSON *lb_json_new_object(struct lb_arena *arena);
cJSON *lb_json_put_text(cJSON *object,
                        const char *key,
                        const char *text,
                        struct lb_arena *arena);
cJSON *lb_json_put_number(cJSON *object,
                          const char *key,
                          double number,
                          struct lb_arena *arena);
cJSON *lb_json_put_bool(cJSON *object,
                        const char *key,
                        bool is_true,
                        struct lb_arena *arena);
cJSON *
lb_json_put_object(cJSON *object, const char *key, struct lb_arena *arena);
/* Takes a member out of an object that was made or parsed in an arena, and puts
 * it into another. */
void lb_json_take(cJSON *object, cJSON *member);
void lb_json_give(cJSON *object, cJSON *member);

/* A key that stands twice in one object of json, at any depth; NULL when none.
 */
const char *lb_json_find_duplicate_key(const cJSON *json);

/* Text of a string item, else NULL. */
const char *lb_json_text(const cJSON *object, const char *key);
bool lb_json_is_true(const cJSON *object, const char *key);
/* A number item without its fraction, as our own answers hold counts; 0 for
 * anything else and past 2^53. */
int64_t lb_json_int(const cJSON *object, const char *key);

/* Emitters.  Strings also escape < > & U+2028 U+2029 (safe inside a page);
 * invalid UTF-8 becomes U+FFFD.  NULL text is null. */
void lb_json_add_string(struct lb_buf *buf, const char *text);
/* The same with only what JSON itself needs escaped. */
void lb_json_add_plain_string(struct lb_buf *buf, const char *text);
/* "key": with a comma before unless the buffer ends in '{', '[' or is empty. */
void lb_json_add_key(struct lb_buf *buf, const char *key);
/* A comma unless the buffer ends in '{', '[' or is empty. */
void lb_json_add_comma(struct lb_buf *buf);
/* Rounded to decimals digits after the point, no trailing zeros; null unless
 * finite. */
void lb_json_add_double(struct lb_buf *buf, double value, int decimals);
/* RFC 3339 in quotes; null for 0. */
void lb_json_add_time(struct lb_buf *buf, int64_t at_ms);
/* The item as JSON without spaces. */
void lb_json_add_item(struct lb_buf *buf, const cJSON *item);

/* An amount of money as hundredths; false unless it is a decimal of at most 2
 * places and at most 10^12. */
bool lb_json_to_hundredths(const cJSON *number, int64_t *hundredths_out);

#endif
