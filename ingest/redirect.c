/* redirect.c - where a short link sends its visitor on. */
#include "ingest/redirect.h"

#include <string.h>

#include "base/text.h"
#include "ingest/click_id.h"

#define KEY_BYTES 64 /* longer ones are not passed on */

/* Folds key into out; false when it is none that is passed on. */
static bool take_key(const char *key, char out[KEY_BYTES + 1])
{
    size_t len = strnlen(key, KEY_BYTES + 1);

    if (len == 0 || len > KEY_BYTES) {
        return false;
    }
    memcpy(out, key, len + 1);
    lb_text_fold_all(out);
    return strncmp(out, "utm_", 4) == 0 || click_id_find(out, len) != NULL;
}

/* Whether an encoded name (len bytes) is the folded key. */
static bool is_named(const char *name, size_t len, const char *key)
{
    char own[KEY_BYTES * 3 + 1];
    long decoded;

    if (len >= sizeof(own)) {
        return false;
    }
    memcpy(own, name, len);
    decoded = lb_text_percent_decode(own, len, true);
    if (decoded < 0) {
        return false;
    }
    own[decoded] = '\0';
    lb_text_fold_all(own);
    return strcmp(own, key) == 0;
}

/* Whether the query (len bytes, encoded) has the folded key. */
static bool has_key(const char *query, size_t len, const char *key)
{
    const char *end = query + len;

    while (query < end) {
        const char *next = memchr(query, '&', (size_t)(end - query));
        const char *stop = next == NULL ? end : next;
        const char *equals = memchr(query, '=', (size_t)(stop - query));

        if (is_named(query, (size_t)((equals == NULL ? stop : equals) - query),
                     key)) {
            return true;
        }
        query = stop + (stop < end ? 1 : 0);
    }
    return false;
}

/* Whether an earlier parameter of that key was passed on. */
static bool
is_repeated(const struct redirect_param *params, size_t index, const char *key)
{
    char other[KEY_BYTES + 1];

    for (size_t i = 0; i < index; i++) {
        if (params[i].value[0] != '\0' && take_key(params[i].key, other) &&
            strcmp(other, key) == 0) {
            return true;
        }
    }
    return false;
}

/* A URL was checked when it was saved; only what is not ASCII is encoded. */
static void add_url(struct lb_buf *out, const char *url, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)url[i] > 0x7e) {
            lb_buf_printf(out, "%%%02X", (unsigned)(unsigned char)url[i]);
        } else {
            lb_buf_add_char(out, url[i]);
        }
    }
}

void redirect_add_target(struct lb_buf *out,
                         const char *url,
                         const struct redirect_param *params,
                         size_t count)
{
    size_t len = strcspn(url, "#");
    const char *mark = memchr(url, '?', len);
    const char *query = mark == NULL ? url + len : mark + 1;
    size_t query_len = (size_t)(url + len - query);
    bool is_joined =
        query_len > 0 && url[len - 1] != '&'; /* a & must come first */
    char key[KEY_BYTES + 1];

    add_url(out, url, len);
    for (size_t i = 0; i < count; i++) {
        if (params[i].value[0] == '\0' || !take_key(params[i].key, key) ||
            has_key(query, query_len, key) || is_repeated(params, i, key)) {
            continue;
        }
        if (mark == NULL) {
            lb_buf_add_char(out, '?');
            mark = url;
        } else if (is_joined) {
            lb_buf_add_char(out, '&');
        }
        is_joined = true;
        lb_text_percent_encode(out, key);
        lb_buf_add_char(out, '=');
        lb_text_percent_encode(out, params[i].value);
    }
    add_url(out, url + len, strlen(url + len));
}
