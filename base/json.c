/* json.c - parsing with cJSON into an arena, and emitters. */
#include "base/json.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* cJSON's hooks are one for the process; which arena they serve is each
 * thread's. */
static _Thread_local struct lb_arena *current_arena;
static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;

static void *json_malloc(size_t bytes)
{
    return current_arena == NULL ? malloc(bytes)
                                 : lb_arena_alloc(current_arena, bytes);
}

static void json_free(void *memory)
{
    if (current_arena == NULL) {
        free(memory);
    }
}

static void install_hooks(void)
{
    cJSON_Hooks hooks = {json_malloc, json_free};

    cJSON_InitHooks(&hooks);
}

cJSON *
lb_json_parse_checked(const char *bytes, size_t len, struct lb_arena *arena)
{
    cJSON *json;

    if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        len -= 3;
    }
    (void)pthread_once(&hooks_once, install_hooks);
    current_arena = arena;
    json = cJSON_ParseWithLength(bytes, len);
    current_arena = NULL;
    return json;
}

enum lb_err lb_json_parse(const char *bytes,
                          size_t len,
                          unsigned max_depth,
                          struct lb_arena *arena,
                          cJSON **json_out,
                          struct lb_json_fault *fault)
{
    enum lb_err rc = lb_json_check(bytes, len, max_depth, fault);

    *json_out = NULL;
    if (rc != LB_OK) {
        return rc;
    }
    *json_out = lb_json_parse_checked(bytes, len, arena);
    if (*json_out == NULL) {
        fault->code = "internal";
        fault->reason = "out of memory";
        fault->line = 1;
        fault->column = 1;
        return LB_ENOMEM;
    }
    return LB_OK;
}

/* cJSON's texts are not const, though it reads those of a tree that is only
 * read. */
static char *lend(const char *text)
{
    char *lent;

    memcpy(&lent, &text, sizeof(lent));
    return lent;
}

void lb_json_give(cJSON *object, cJSON *member)
{
    member->next = NULL;
    member->prev = member;
    if (object->child == NULL) {
        object->child = member;
    } else {
        member->prev = object->child->prev; /* of the first: the last */
        member->prev->next = member;
        object->child->prev = member;
    }
}

static cJSON *
put(cJSON *object, const char *key, int type, struct lb_arena *arena)
{
    cJSON *item = lb_arena_calloc(arena, sizeof(*item));

    if (item != NULL) {
        item->type = type;
        item->string = key == NULL ? NULL : lend(key);
    }
    if (item != NULL && object != NULL) {
        lb_json_give(object, item);
    }
    return item;
}

cJSON *lb_json_new_object(struct lb_arena *arena)
{
    return put(NULL, NULL, cJSON_Object, arena);
}

cJSON *lb_json_put_text(cJSON *object,
                        const char *key,
                        const char *text,
                        struct lb_arena *arena)
{
    cJSON *item = put(object, key, cJSON_String, arena);

    if (item != NULL) {
        item->valuestring = lend(text);
    }
    return item;
}

cJSON *lb_json_put_number(cJSON *object,
                          const char *key,
                          double number,
                          struct lb_arena *arena)
{
    cJSON *item = put(object, key, cJSON_Number, arena);

    if (item != NULL) {
        item->valuedouble = number;
    }
    return item;
}

cJSON *lb_json_put_bool(cJSON *object,
                        const char *key,
                        bool is_true,
                        struct lb_arena *arena)
{
    return put(object, key, is_true ? cJSON_True : cJSON_False, arena);
}

cJSON *
lb_json_put_object(cJSON *object, const char *key, struct lb_arena *arena)
{
    return put(object, key, cJSON_Object, arena);
}

void lb_json_take(cJSON *object, cJSON *member)
{
    (void)cJSON_DetachItemViaPointer(object, member);
}

static bool has_key_before(const cJSON *object, const cJSON *member)
{
    for (const cJSON *one = object->child; one != member; one = one->next) {
        if (one->string[0] == member->string[0] &&
            strcmp(one->string, member->string) == 0) {
            return true;
        }
    }
    return false;
}

static const char *duplicate_here(const cJSON *object)
{
    for (const cJSON *member = object->child; member != NULL;
         member = member->next) {
        if (has_key_before(object, member)) {
            return member->string;
        }
    }
    return NULL;
}

const char *lb_json_find_duplicate_key(const cJSON *json)
{
    const char *key = cJSON_IsObject(json) ? duplicate_here(json) : NULL;
    const cJSON *item;

    if (!cJSON_IsObject(json) && !cJSON_IsArray(json)) {
        return NULL;
    }
    for (item = json->child; item != NULL && key == NULL; item = item->next) {
        key = lb_json_find_duplicate_key(item);
    }
    return key;
}

const char *lb_json_text(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}

bool lb_json_is_true(const cJSON *object, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, key));
}

int64_t lb_json_int(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    const double most = 9007199254740992.0; /* exact up to here */

    return cJSON_IsNumber(item) && item->valuedouble >= -most &&
                   item->valuedouble <= most
               ? (int64_t)item->valuedouble
               : 0;
}

static void add_escape(struct lb_buf *buf, unsigned code)
{
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\',
                      'u',
                      digits[code >> 12 & 15],
                      digits[code >> 8 & 15],
                      digits[code >> 4 & 15],
                      digits[code & 15]};

    lb_buf_add(buf, escape, sizeof(escape));
}

static void add_control(struct lb_buf *buf, unsigned char c)
{
    switch (c) {
    case '\n':
        lb_buf_add_text(buf, "\\n");
        break;
    case '\r':
        lb_buf_add_text(buf, "\\r");
        break;
    case '\t':
        lb_buf_add_text(buf, "\\t");
        break;
    default:
        add_escape(buf, c);
        break;
    }
}

static void
add_character(struct lb_buf *buf, const char *at, int len, bool is_page_safe)
{
    unsigned char c = (unsigned char)*at;

    if (len < 0) {
        lb_buf_add_text(buf, "\xef\xbf\xbd");
    } else if (c == '"' || c == '\\') {
        lb_buf_add_char(buf, '\\');
        lb_buf_add_char(buf, *at);
    } else if (c < 0x20) {
        add_control(buf, c);
    } else if (is_page_safe && (c == '<' || c == '>' || c == '&')) {
        add_escape(buf, c);
    } else if (is_page_safe && len == 3 && memcmp(at, "\xe2\x80", 2) == 0 &&
               ((unsigned char)at[2] & 0xfe) == 0xa8) {
        add_escape(buf, 0x2000u + ((unsigned char)at[2] & 0x3fu));
    } else {
        lb_buf_add(buf, at, (size_t)len);
    }
}

static bool is_bare(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' &&
           c != '>' && c != '&';
}

static void add_string(struct lb_buf *buf, const char *text, bool is_page_safe)
{
    size_t len;

    if (text == NULL) {
        lb_buf_add_text(buf, "null");
        return;
    }
    len = strlen(text);
    lb_buf_add_char(buf, '"');
    for (size_t at = 0; at < len;) {
        size_t run = at;
        int unit;

        while (run < len && is_bare((unsigned char)text[run])) {
            run++;
        }
        lb_buf_add(buf, text + at, run - at);
        at = run;
        if (at < len) {
            unit = lb_text_char_len(text + at, len - at);
            add_character(buf, text + at, unit, is_page_safe);
            at += (size_t)(unit < 0 ? -unit : unit);
        }
    }
    lb_buf_add_char(buf, '"');
}

void lb_json_add_string(struct lb_buf *buf, const char *text)
{
    add_string(buf, text, true);
}

void lb_json_add_plain_string(struct lb_buf *buf, const char *text)
{
    add_string(buf, text, false);
}

static bool is_opening(char c)
{
    return c == '{' || c == '[' || c == ':';
}

void lb_json_add_comma(struct lb_buf *buf)
{
    if (buf->len > 0 && !is_opening(buf->data[buf->len - 1])) {
        lb_buf_add_char(buf, ',');
    }
}

void lb_json_add_key(struct lb_buf *buf, const char *key)
{
    lb_json_add_comma(buf);
    lb_json_add_string(buf, key);
    lb_buf_add_char(buf, ':');
}

void lb_json_add_double(struct lb_buf *buf, double value, int decimals)
{
    char text[64];
    size_t len;
    int n;

    if (!isfinite(value)) {
        lb_buf_add_text(buf, "null");
        return;
    }
    n = snprintf(text, sizeof(text), "%.*f", decimals, value);
    if (n < 0 || (size_t)n >= sizeof(text)) {
        lb_buf_printf(buf, "%.17g", value);
        return;
    }
    len = (size_t)n;
    if (memchr(text, '.', len) != NULL) {
        while (text[len - 1] == '0') {
            len--;
        }
        len -= text[len - 1] == '.' ? 1 : 0;
    }
    if (len == 2 && memcmp(text, "-0", 2) == 0) {
        lb_buf_add_char(buf, '0');
        return;
    }
    lb_buf_add(buf, text, len);
}

void lb_json_add_time(struct lb_buf *buf, int64_t at_ms)
{
    char text[LB_CLOCK_TEXT_BYTES];

    if (at_ms == 0) {
        lb_buf_add_text(buf, "null");
        return;
    }
    lb_clock_format(at_ms, text);
    lb_buf_printf(buf, "\"%s\"", text);
}

/* The members of an object or an array, in its brackets. */
static void add_members(struct lb_buf *buf, const cJSON *item)
{
    bool is_object = cJSON_IsObject(item) != 0;

    lb_buf_add_char(buf, is_object ? '{' : '[');
    for (const cJSON *child = item->child; child != NULL; child = child->next) {
        if (child != item->child) {
            lb_buf_add_char(buf, ',');
        }
        if (is_object) {
            lb_json_add_string(buf, child->string);
            lb_buf_add_char(buf, ':');
        }
        lb_json_add_item(buf, child);
    }
    lb_buf_add_char(buf, is_object ? '}' : ']');
}

/* The shortest of 15 to 17 digits that reads back as the same number. */
static void add_number(struct lb_buf *buf, double number)
{
    char text[40];

    if (number == floor(number) && fabs(number) < 1e15) {
        lb_buf_printf(buf, "%.0f", number);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    lb_buf_add_text(buf, text);
}

void lb_json_add_item(struct lb_buf *buf, const cJSON *item)
{
    if (cJSON_IsString(item)) {
        lb_json_add_string(buf, item->valuestring);
    } else if (cJSON_IsNumber(item)) {
        add_number(buf, item->valuedouble);
    } else if (cJSON_IsBool(item)) {
        lb_buf_add_text(buf, cJSON_IsTrue(item) ? "true" : "false");
    } else if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        add_members(buf, item);
    } else {
        lb_buf_add_text(buf, "null");
    }
}

bool lb_json_to_hundredths(const cJSON *number, int64_t *hundredths_out)
{
    double scaled;

    if (!cJSON_IsNumber(number) || fabs(number->valuedouble) > 1e12) {
        return false;
    }
    /* A double holds hundredths up to 10^12 with a finer grain than this. */
    scaled = number->valuedouble * 100;
    if (fabs(scaled - nearbyint(scaled)) > 0.02) {
        return false;
    }
    *hundredths_out = (int64_t)nearbyint(scaled);
    return number->valuedouble == (double)*hundredths_out / 100;
}
