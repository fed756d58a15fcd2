/* hook_path.h - paths into a JSON body: $.a.b[0].c.  Pure. */
#ifndef LINKBELL_INGEST_HOOK_PATH_H
#define LINKBELL_INGEST_HOOK_PATH_H

#include <stdbool.h>

#include <cjson/cJSON.h>

/* Whether text is a path and no constant: "$" alone, or "$." or "$[" at its
 * begin. */
bool hook_path_is_path(const char *text);

/* What is wrong with a path, in a few words; NULL: nothing. */
const char *hook_path_fault(const char *path);

/* What the path leads to; NULL: nothing.  A key on the way that stands twice in
 * its object leads nowhere, and sets *is_twice. */
const cJSON *
hook_path_find(const cJSON *root, const char *path, bool *is_twice);

#endif
