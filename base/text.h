/* text.h - UTF-8, ASCII folding, globs, percent-encoding, CSV cells. */
#ifndef LINKBELL_BASE_TEXT_H
#define LINKBELL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Length of the well-formed UTF-8 character at bytes (Unicode 15, table 3-7;
 * len > 0), or minus the length of the maximal ill-formed part. */
int lb_text_char_len(const char *bytes, size_t len);
bool lb_text_is_utf8(const char *bytes, size_t len);

/* Greatest length up to max_bytes at which text is not cut inside a character.
 */
size_t lb_text_cut(const char *text, size_t len, size_t max_bytes);

/* A-Z to a-z, nothing else. */
char lb_text_fold(char c);
void lb_text_fold_all(char *text);
bool lb_text_is_same_folded(const char *a, const char *b);

/* '*' stands for any number of characters, everything else for itself. */
bool lb_text_matches_glob(const char *glob, const char *text);
bool lb_text_matches_glob_folded(const char *glob, const char *text);

/* Whether text is 1 to max_bytes of the given characters ("a-z0-9.-" style
 * ranges). */
bool lb_text_is_made_of(const char *text, const char *ranges, size_t max_bytes);

/* Decodes %XX (and '+' when is_form) in place; returns the new length, or -1
 * for an escape that is none or %00. */
long lb_text_percent_decode(char *text, size_t len, bool is_form);
/* Appends text with all but unreserved characters (RFC 3986, 2.3) escaped. */
void lb_text_percent_encode(struct lb_buf *buf, const char *text);

/* One CSV cell (RFC 4180), quoted when needed; a cell that a spreadsheet would
 * take for a formula gets a leading apostrophe. */
void lb_text_add_csv(struct lb_buf *buf, const char *text);

/* Hex digit's value, or -1. */
int lb_text_hex(char c);
/* 2 * len lower-case hex digits and NUL. */
void lb_text_to_hex(const unsigned char *bytes, size_t len, char *out);

/* Parses a whole decimal number; false unless all of text is one that fits. */
bool lb_text_to_int(const char *text, long long *value_out);

#endif
