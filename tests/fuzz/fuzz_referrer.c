/* fuzz_referrer.c - a referrer's bytes as host and stored text, and what must
 * hold of them whatever came in. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "ingest/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_right)
{
    if (!is_right) {
        abort();
    }
}

static void check_host(const struct source_referrer *referrer)
{
    size_t len = strlen(referrer->host);

    must(len > 0 && len <= SOURCE_REFERRER_BYTES);
    must(
        lb_text_is_made_of(referrer->host, "a-z0-9_.-", SOURCE_REFERRER_BYTES));
    if (referrer->kind == SOURCE_HOST) {
        must(len <= SOURCE_HOST_BYTES && strchr(referrer->host, '.') != NULL);
        must(referrer->host[len - 1] != '.');
    }
}

/* No query, no fragment, no user info: they may name somebody. */
static void check_stored(const struct source_referrer *referrer)
{
    size_t host = strcspn(referrer->stored, "/");

    must(strlen(referrer->stored) <= SOURCE_STORED_BYTES);
    must(strpbrk(referrer->stored, "?#") == NULL);
    must(memchr(referrer->stored, '@', host) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct source_table *table;
    static const char *const hosts[] = {"l.alice.bio"};
    const struct source_self self = {"www.shop.example", "alice.bio", hosts, 1};
    struct lb_arena *arena = lb_arena_new((size_t)256 * 1024);
    struct source_referrer referrer;

    if (table == NULL) {
        table = source_table_new();
    }
    must(table != NULL && arena != NULL);
    must(source_read_referrer(table, (const char *)data, size, &self, arena,
                              &referrer) == LB_OK);
    if (referrer.kind != SOURCE_NOTHING) {
        check_host(&referrer);
        check_stored(&referrer);
        must(referrer.kind == SOURCE_APP ||
             (strcmp(referrer.host, "alice.bio") != 0 &&
              strcmp(referrer.host, "www.alice.bio") != 0 &&
              strcmp(referrer.host, "l.alice.bio") != 0 &&
              strcmp(referrer.host, "shop.example") != 0));
    }
    lb_arena_free(arena);
    return 0;
}
