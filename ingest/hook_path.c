/* hook_path.c - paths into a JSON body. */
#include "ingest/hook_path.h"

#include <stddef.h>
#include <string.h>

#define INDEX_DIGITS 6

bool hook_path_is_path(const char *text)
{
    return text[0] == '$' &&
           (text[1] == '\0' || text[1] == '.' || text[1] == '[');
}

/* Bytes of the step at `at`, 0 when it is none; the key or index without its
 * marks is *len_out bytes at *name_out. */
static size_t read_step(const char *at, const char **name_out, size_t *len_out)
{
    *name_out = at + 1;
    if (at[0] == '.') {
        *len_out = strcspn(at + 1, ".[]");
        return *len_out == 0 ? 0 : 1 + *len_out;
    }
    *len_out = at[0] == '[' ? strspn(at + 1, "0123456789") : 0;
    return *len_out == 0 || *len_out > INDEX_DIGITS || at[1 + *len_out] != ']'
               ? 0
               : 2 + *len_out;
}

const char *hook_path_fault(const char *path)
{
    const char *at = path + 1;
    const char *name;
    size_t len;

    if (path[0] != '$') {
        return "it must begin with $";
    }
    while (*at != '\0') {
        size_t bytes = read_step(at, &name, &len);

        if (bytes == 0) {
            return "it is written like $.a.b[0].c";
        }
        at += bytes;
    }
    return NULL;
}

static const cJSON *
find_key(const cJSON *object, const char *name, size_t len, bool *is_twice)
{
    const cJSON *found = NULL;
    const cJSON *item;

    if (!cJSON_IsObject(object)) {
        return NULL;
    }
    for (item = object->child; item != NULL; item = item->next) {
        if (strncmp(item->string, name, len) != 0 ||
            item->string[len] != '\0') {
            continue;
        }
        if (found != NULL) {
            *is_twice = true;
            return NULL;
        }
        found = item;
    }
    return found;
}

static const cJSON *find_index(const cJSON *list, const char *name, size_t len)
{
    int index = 0;

    for (size_t i = 0; i < len; i++) {
        index = index * 10 + (name[i] - '0');
    }
    return cJSON_IsArray(list) ? cJSON_GetArrayItem(list, index) : NULL;
}

const cJSON *hook_path_find(const cJSON *root, const char *path, bool *is_twice)
{
    const char *at = path + 1;

    if (path[0] != '$') {
        return NULL;
    }
    while (root != NULL && *at != '\0') {
        const char *name;
        size_t len;
        size_t bytes = read_step(at, &name, &len);

        if (bytes == 0) {
            return NULL;
        }
        root = *at == '.' ? find_key(root, name, len, is_twice)
                          : find_index(root, name, len);
        at += bytes;
    }
    return root;
}
