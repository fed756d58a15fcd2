/* fuzz_json.c - what passes the check is parsed, written and read again to the
 * same bytes; any text is written as JSON that passes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/text.h"

#define DEPTH 32
#define ARENA_BYTES ((size_t)64 * 1024 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parses what must be parsable, and writes it without spaces. */
static void rewrite(const char *bytes, size_t len, struct lb_buf *out)
{
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct lb_json_fault fault;
    int64_t hundredths;
    cJSON *json;

    if (lb_json_parse(bytes, len, DEPTH, arena, &json, &fault) != LB_OK) {
        abort();
    }
    (void)lb_json_find_duplicate_key(json);
    (void)lb_json_to_hundredths(json, &hundredths);
    lb_json_add_item(out, json);
    lb_arena_free(arena);
}

static void check_document(const char *bytes, size_t len)
{
    struct lb_json_fault fault = {0};
    struct lb_buf once;
    struct lb_buf twice;
    enum lb_err rc = lb_json_check(bytes, len, DEPTH, &fault);

    if (rc != LB_OK) {
        if ((rc != LB_EFORMAT && rc != LB_ELIMIT) || fault.line == 0 ||
            fault.column == 0 || fault.column > len + 1 ||
            fault.reason == NULL) {
            abort();
        }
        return;
    }
    if (!lb_text_is_utf8(bytes, len) || memchr(bytes, '\0', len) != NULL) {
        abort();
    }
    lb_buf_init(&once, ARENA_BYTES);
    lb_buf_init(&twice, ARENA_BYTES);
    rewrite(bytes, len, &once);
    rewrite(once.data, once.len, &twice);
    if (once.len != twice.len || memcmp(once.data, twice.data, once.len) != 0) {
        abort();
    }
    lb_buf_deinit(&once);
    lb_buf_deinit(&twice);
}

static void check_string(const char *bytes, size_t len, bool is_plain)
{
    char *text = strndup(bytes, len);
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct lb_json_fault fault;
    struct lb_buf buf;
    cJSON *json;

    lb_buf_init(&buf, ARENA_BYTES);
    if (text == NULL) {
        abort();
    }
    if (is_plain) {
        lb_json_add_plain_string(&buf, text);
    } else {
        lb_json_add_string(&buf, text);
    }
    if (lb_json_parse(buf.data, buf.len, 1, arena, &json, &fault) != LB_OK ||
        (lb_text_is_utf8(text, strlen(text)) &&
         strcmp(json->valuestring, text) != 0)) {
        abort();
    }
    free(text);
    lb_arena_free(arena);
    lb_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of exactly that size, so that a step past its end shows. */
    char *bytes = malloc(size + (size == 0 ? 1 : 0));

    if (bytes == NULL) {
        return 0;
    }
    if (size > 0) {
        memcpy(bytes, data, size);
    }
    check_document(bytes, size);
    check_string(bytes, size, false);
    check_string(bytes, size, true);
    free(bytes);
    return 0;
}
