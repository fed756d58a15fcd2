/* utm.c - campaign parameters of a URL. */
#include "ingest/utm.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define KEY_BYTES 48 /* longer than any key that is looked for */

static const char *const key_names[UTM_KEY_COUNT] = {
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"};

/* What stands in for a missing utm_source, best first. */
static const char *const stand_ins[] = {"source", "ref"};
#define STAND_IN_COUNT (sizeof(stand_ins) / sizeof(stand_ins[0]))

const char *utm_key_name(enum utm_key key)
{
    return key_names[key];
}

/* Decodes '+' and %XX of in, once; a malformed '%' stays.  out has room for
 * len. */
static size_t decode(const char *in, size_t len, char *out)
{
    size_t used = 0;

    for (size_t i = 0; i < len; i++) {
        if (in[i] == '%' && i + 2 < len && lb_text_hex(in[i + 1]) >= 0 &&
            lb_text_hex(in[i + 2]) >= 0) {
            out[used++] =
                (char)(lb_text_hex(in[i + 1]) * 16 + lb_text_hex(in[i + 2]));
            i += 2;
        } else if (in[i] == '+') {
            out[used++] = ' ';
        } else {
            out[used++] = in[i];
        }
    }
    return used;
}

/* Controls, no-break space and the two line separators count as spaces. */
static bool is_space(const unsigned char *in, int len)
{
    if (len == 1) {
        return in[0] <= 0x20 || in[0] == 0x7f;
    }
    if (len == 2) {
        return in[0] == 0xc2 && in[1] <= 0xa0;
    }
    return len == 3 && in[0] == 0xe2 && in[1] == 0x80 &&
           (in[2] == 0xa8 || in[2] == 0xa9);
}

/* Repairs UTF-8, turns runs of spaces into one, trims, cuts.  out has room for
 * UTM_VALUE_BYTES. */
static size_t clean(const char *in, size_t len, char *out)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    const unsigned char *bytes = (const unsigned char *)in;
    bool is_space_due = false;
    size_t used = 0;
    size_t at = 0;

    while (at < len) {
        int unit = lb_text_char_len(in + at, len - at);
        const char *text = unit > 0 ? in + at : replacement;
        size_t text_len = unit > 0 ? (size_t)unit : sizeof(replacement) - 1;
        bool is_blank = unit > 0 && is_space(bytes + at, unit);

        at += (size_t)(unit > 0 ? unit : -unit);
        if (is_blank) {
            is_space_due = used > 0;
            continue;
        }
        if (used + (is_space_due ? 1 : 0) + text_len > UTM_VALUE_BYTES) {
            break;
        }
        if (is_space_due) {
            out[used++] = ' ';
            is_space_due = false;
        }
        memcpy(out + used, text, text_len);
        used += text_len;
    }
    return used;
}

/* The normalised text of an already decoded value; *text_out is NULL when
 * nothing is left of it. */
static enum lb_err normalise(const char *value,
                             size_t len,
                             bool is_folded,
                             struct lb_arena *arena,
                             const char **text_out)
{
    char text[UTM_VALUE_BYTES];
    size_t used = clean(value, len, text);

    *text_out = NULL;
    if (used == 0) {
        return LB_OK;
    }
    for (size_t i = 0; i < used && is_folded; i++) {
        text[i] = lb_text_fold(text[i]);
    }
    *text_out = lb_arena_text(arena, text, used);
    return *text_out == NULL ? LB_ENOMEM : LB_OK;
}

static bool is_folded_key(enum utm_key key, bool is_case_kept)
{
    return !is_case_kept && key <= UTM_CAMPAIGN;
}

enum lb_err utm_set(struct utm *utm,
                    enum utm_key key,
                    const char *value,
                    size_t len,
                    bool is_case_kept,
                    struct lb_arena *arena)
{
    const char *text = NULL;
    enum lb_err rc =
        normalise(value, len, is_folded_key(key, is_case_kept), arena, &text);

    if (text != NULL) {
        utm->value[key] = text;
    }
    return rc;
}

/* Decodes, folds and trims a key into out; 0 when it is longer than any we
 * know. */
static size_t read_key(const char *in, size_t len, char out[KEY_BYTES])
{
    char decoded[KEY_BYTES * 3];
    size_t used;
    size_t from = 0;

    if (len > sizeof(decoded)) {
        return 0;
    }
    used = decode(in, len, decoded);
    while (used > 0 && decoded[used - 1] == ' ') {
        used--;
    }
    while (from < used && decoded[from] == ' ') {
        from++;
    }
    for (size_t i = from; i < used; i++) {
        decoded[i] = lb_text_fold(decoded[i]);
    }
    if (used - from > 4 && memcmp(decoded + from, "amp;", 4) == 0) {
        from += 4;
    }
    if (used - from > KEY_BYTES) {
        return 0;
    }
    memcpy(out, decoded + from, used - from);
    return used - from;
}

struct reading {
    struct utm *utm;
    struct lb_arena *arena;
    bool is_case_kept;
    const char *stand_in[STAND_IN_COUNT];
};

static bool is_word(const char *key, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(key, word, len) == 0;
}

/* Where a key's text goes, and whether it is one whose case is kept. */
static const char **find_slot(struct reading *reading,
                              const char *key,
                              size_t len,
                              bool *is_folded_out)
{
    for (int i = 0; i < UTM_KEY_COUNT; i++) {
        if (is_word(key, len, key_names[i])) {
            *is_folded_out =
                is_folded_key((enum utm_key)i, reading->is_case_kept);
            return &reading->utm->value[i];
        }
    }
    *is_folded_out = !reading->is_case_kept;
    for (size_t i = 0; i < STAND_IN_COUNT; i++) {
        if (is_word(key, len, stand_ins[i])) {
            return &reading->stand_in[i];
        }
    }
    return NULL;
}

static enum lb_err read_value(struct reading *reading,
                              const char *value,
                              size_t len,
                              bool is_folded,
                              const char **slot)
{
    char *decoded = lb_arena_alloc(reading->arena, len + 1);

    if (decoded == NULL) {
        return LB_ENOMEM;
    }
    len = decode(value, len, decoded);
    return normalise(decoded, len, is_folded, reading->arena, slot);
}

static enum lb_err read_click_id(struct reading *reading,
                                 const char *key,
                                 size_t len,
                                 const char *value,
                                 size_t value_len)
{
    const struct click_id *id = click_id_find(key, len);
    const char *text = NULL;
    enum lb_err rc;

    if (id == NULL ||
        (reading->utm->click_id != NULL && reading->utm->click_id <= id)) {
        return LB_OK;
    }
    rc = read_value(reading, value, value_len, false, &text);
    if (text != NULL) {
        reading->utm->click_id = id;
    }
    return rc;
}

static enum lb_err
read_part(struct reading *reading, const char *part, size_t len)
{
    const char *equals = memchr(part, '=', len);
    size_t name_len = equals == NULL ? len : (size_t)(equals - part);
    size_t value_len = equals == NULL ? 0 : len - name_len - 1;
    bool is_folded = false;
    char key[KEY_BYTES];
    size_t key_len;
    const char **slot;

    if (value_len == 0) {
        return LB_OK;
    }
    key_len = read_key(part, name_len, key);
    slot = key_len == 0 ? NULL : find_slot(reading, key, key_len, &is_folded);
    if (slot == NULL) {
        return read_click_id(reading, key, key_len, equals + 1, value_len);
    }
    if (*slot != NULL) {
        return LB_OK; /* the first one that says something wins */
    }
    return read_value(reading, equals + 1, value_len, is_folded, slot);
}

enum lb_err utm_read_url(const char *url,
                         size_t len,
                         bool is_case_kept,
                         struct lb_arena *arena,
                         struct utm *utm_out)
{
    struct reading reading = {utm_out, arena, is_case_kept, {NULL}};
    const char *end;
    const char *at;
    enum lb_err rc = LB_OK;
    unsigned parts = 0;

    memset(utm_out, 0, sizeof(*utm_out));
    len = len > UTM_URL_BYTES ? UTM_URL_BYTES : len;
    end = memchr(url, '#', len);
    end = end == NULL ? url + len : end;
    at = memchr(url, '?', (size_t)(end - url));
    at = at == NULL ? end : at + 1;
    while (at < end && parts < UTM_PARTS && rc == LB_OK) {
        const char *stop = memchr(at, '&', (size_t)(end - at));

        stop = stop == NULL ? end : stop;
        if (stop > at) {
            rc = read_part(&reading, at, (size_t)(stop - at));
            parts++;
        }
        at = stop + 1;
    }
    for (size_t i = 0; i < STAND_IN_COUNT; i++) {
        if (utm_out->value[UTM_SOURCE] == NULL) {
            utm_out->value[UTM_SOURCE] = reading.stand_in[i];
        }
    }
    return rc;
}
