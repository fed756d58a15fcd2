/* cases.c - files of tests/data. */
#include "tests/support/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

#define CASES_BYTES ((size_t)1024 * 1024)

char *cases_read(const char *name)
{
    char path[512];
    char chunk[4096];
    struct lb_buf text;
    FILE *file;
    char *bytes;
    size_t got;

    (void)snprintf(path, sizeof(path), "%s/%s", LINKBELL_TEST_DATA, name);
    file = fopen(path, "rb");
    assert_non_null(file);
    lb_buf_init(&text, CASES_BYTES);
    while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        lb_buf_add(&text, chunk, got);
    }
    assert_int_equal(fclose(file), 0);
    bytes = lb_buf_take(&text);
    assert_non_null(bytes);
    return bytes;
}

cJSON *cases_load(const char *name)
{
    char *bytes = cases_read(name);
    cJSON *cases = cJSON_Parse(bytes);

    assert_non_null(cases);
    free(bytes);
    return cases;
}

const char *cases_text(const cJSON *row, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, key);

    return cJSON_IsString(item) ? item->valuestring : NULL;
}
