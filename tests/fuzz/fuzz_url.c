/* fuzz_url.c - campaign parameters, referrer, source and channel from any
 * bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "ingest/channel.h"
#include "ingest/source.h"
#include "ingest/utm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_texts(const struct utm *utm)
{
    for (int i = 0; i < UTM_KEY_COUNT; i++) {
        if (utm->value[i] != NULL &&
            (utm->value[i][0] == '\0' ||
             strlen(utm->value[i]) > UTM_VALUE_BYTES)) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct source_table *table;
    const char *text = (const char *)data;
    size_t half = size == 0 ? 0 : data[0] % size;
    struct lb_arena *arena = lb_arena_new((size_t)1024 * 1024);
    struct source_self self = {NULL, "alice.bio", NULL, 0};
    struct source_referrer referrer;
    struct source_verdict verdict;
    struct utm utm;

    if (table == NULL) {
        table = source_table_new();
    }
    if (table != NULL && arena != NULL &&
        utm_read_url(text, half, false, arena, &utm) == LB_OK &&
        source_url_host(text, half, arena, &self.url_host) == LB_OK &&
        source_read_referrer(table, text + half, size - half, &self, arena,
                             &referrer) == LB_OK &&
        source_decide(table, &utm, &referrer, arena, &verdict) == LB_OK) {
        check_texts(&utm);
        if (channel_decide(&utm, &verdict)[0] == '\0' ||
            (referrer.stored != NULL &&
             strlen(referrer.stored) > SOURCE_STORED_BYTES)) {
            abort();
        }
    }
    lb_arena_free(arena);
    return 0;
}
