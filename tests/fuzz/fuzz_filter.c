/* fuzz_filter.c - filter expressions from any bytes: parsed within the bounds,
 * asked of an entry with every text and of one with none. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate/filter.h"

#define SCRATCH_BYTES ((size_t)64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct filter *filter, const struct entry *entry)
{
    struct lb_buf scratch;
    bool first;
    bool second;

    lb_buf_init(&scratch, SCRATCH_BYTES);
    first = filter_matches(filter, entry, "alice.bio", false, &scratch);
    second = filter_matches(filter, entry, "alice.bio", false, &scratch);
    if (first != second) {
        abort();
    }
    first = filter_matches(filter, entry, "alice.bio", true, &scratch);
    if (!filter_is_of_click(filter) && first != second) {
        abort();
    }
    lb_buf_deinit(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entry bare = {.seq = 1};
    struct entry full = {.seq = 2, .type = ENTRY_CLICK, .is_qr = true};
    struct filter *filter = NULL;
    struct lb_error err = {LB_OK, ""};
    char *text = malloc(size + 1);
    enum lb_err rc;

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        full.text[i] = "newsletter";
    }
    full.text[ENTRY_TEXT_PROPS] = "{\"plan\":\"pro\",\"n\":1.5}";
    rc = filter_parse(text, false, &filter, &err);
    if (rc == LB_OK) {
        ask(filter, &bare);
        ask(filter, &full);
    } else if (filter != NULL || err.text[0] == '\0') {
        abort();
    }
    filter_free(filter);
    free(text);
    return 0;
}
