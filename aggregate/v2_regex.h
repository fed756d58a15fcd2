/* v2_regex.h - regular expressions of the stats dialect: POSIX extended syntax
 * and \d \w \s \b (and their opposites), matched in time linear in the text (K.
 * Thompson, CACM 11(6), 1968: all states of the automaton at once).  Bytes, not
 * characters.  Pure. */
#ifndef LINKBELL_AGGREGATE_V2_REGEX_H
#define LINKBELL_AGGREGATE_V2_REGEX_H

#include <stdbool.h>

#define V2_REGEX_BYTES 256
#define V2_REGEX_STATES 8192

struct v2_regex;

/* NULL: text is no such expression, too long, comes to more than
 * V2_REGEX_STATES states, or memory ran out.  is_folded: A-Z are a-z. */
struct v2_regex *v2_regex_new(const char *text, bool is_folded);
void v2_regex_free(struct v2_regex *regex); /* NULL is fine */

/* Whether some part of the text matches.  Not for two threads at once. */
bool v2_regex_matches(struct v2_regex *regex, const char *text);

#endif
