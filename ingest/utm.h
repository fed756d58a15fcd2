/* utm.h - campaign parameters of a URL: utm_source to utm_content, and the
 * click identifier.  Pure.  Decoding follows the URL standard's form decoding
 * (WHATWG URL, application/x-www-form-urlencoded) with one difference: only '&'
 * separates. */
#ifndef LINKBELL_INGEST_UTM_H
#define LINKBELL_INGEST_UTM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "ingest/click_id.h"

#define UTM_URL_BYTES 8192  /* only this much of a URL counts */
#define UTM_PARTS 200       /* and this many non-empty parts of its query */
#define UTM_VALUE_BYTES 255 /* a longer value is cut at a character */

enum utm_key {
    UTM_SOURCE,
    UTM_MEDIUM,
    UTM_CAMPAIGN,
    UTM_TERM,
    UTM_CONTENT,
    UTM_KEY_COUNT
};

struct utm {
    const char *value[UTM_KEY_COUNT]; /* NULL: absent */
    const struct click_id *click_id;  /* NULL: none */
};

/* Reads what stands between the first '?' and the first '#' of url (any text).
 * Values are kept in arena.  is_case_kept: source, medium and campaign are not
 * folded.  LB_ENOMEM when the arena is full. */
LB_MUST_CHECK enum lb_err utm_read_url(const char *url,
                                       size_t len,
                                       bool is_case_kept,
                                       struct lb_arena *arena,
                                       struct utm *utm_out);

/* Puts a value that was given apart from a URL (not percent-encoded) over what
 * stands in utm; one that is empty after normalising changes nothing. */
LB_MUST_CHECK enum lb_err utm_set(struct utm *utm,
                                  enum utm_key key,
                                  const char *value,
                                  size_t len,
                                  bool is_case_kept,
                                  struct lb_arena *arena);

/* "utm_source" ...; static. */
const char *utm_key_name(enum utm_key key);

#endif
