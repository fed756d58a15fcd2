/* faces.h - whether somebody was met before: a set of hashes in bounded memory,
 * which forgets those who came longest ago once a million came since.  So a
 * rule that learns from a year of the log tells visitors of a window apart, as
 * far as the log is in the order of time. */
#ifndef LINKBELL_ALERTS_FACES_H
#define LINKBELL_ALERTS_FACES_H

#include <stdbool.h>
#include <stddef.h>

struct faces;

struct faces *faces_new(void);        /* NULL: out of memory */
void faces_free(struct faces *faces); /* NULL is fine */

/* Whether the key is new; it is remembered. */
bool faces_is_new(struct faces *faces, const void *key, size_t len);

#endif
