/* fuzz_hook.c - deliveries of inbound webhooks: a body through each kind and
 * two maps, plain or packed; the same bytes as a signature and as a path.
 * Input: one byte of choices, then the body. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "ingest/event_store.h"
#include "ingest/hook_delivery.h"
#include "ingest/hook_path.h"

#define NOW_MS INT64_C(1795510800000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_context context;

static void must(bool is_right)
{
    if (!is_right) {
        abort();
    }
}

/* One database in memory for the life of the process. */
static void set_up(void)
{
    static const struct writer_limits limits = {
        .queue_events = 1000, .queue_bytes = 1 << 20, .group_events = 100};
    const struct catalog_site_draft draft = {
        "alice.bio", "Europe/Paris", NULL, 0, "{}", false};
    static struct writer *writer;
    static struct catalog_holder *holder;
    static struct catalog *catalog;
    struct lb_error err;
    int64_t number;

    must(writer_new(NULL, ":memory:", &limits, &writer, &err) == LB_OK);
    must(catalog_holder_new(writer, &holder, &err) == LB_OK);
    must(db_begin(writer_db(writer), &err) == LB_OK);
    must(catalog_put_site(holder, writer_db(writer), &draft, &number, &err) ==
         LB_OK);
    must(db_commit(writer_db(writer), &err) == LB_OK);
    must(catalog_load(writer_db(writer), &catalog, &err) == LB_OK);
    must(visitor_new(writer, &context.visitors, &err) == LB_OK);
    context.catalog = catalog;
    context.sources = source_table_new();
    must(context.sources != NULL);
    must(agent_cache_new(&context.agents, &err) == LB_OK);
    context.received_at_ms = NOW_MS;
    context.import = "";
    context.text_bytes = 256;
}

/* Sources that take whatever comes from this machine. */
static const struct hook_source *source_at(unsigned index)
{
#define SOURCE(kind, more)                                                     \
    "{\"id\":\"s\",\"site\":\"alice.bio\",\"scheme\":\"none\",\"kind\":"       \
    "\"" kind "\"" more "}"
    static const char *const configs[] = {
        SOURCE("linkmi", ""),
        SOURCE("linkme", ""),
        SOURCE("dub", ""),
        SOURCE("bitly", ""),
        SOURCE("generic",
               ",\"map\":{\"type\":{\"path\":\"$.event\",\"is\":{\"a\":"
               "\"lead\",\"b\":\"view\"}},\"id\":\"$.id\",\"ts\":\"$.at\","
               "\"link\":\"$.l[0]\",\"value.amount\":\"$.sum\","
               "\"value.currency\":\"EUR\",\"props.p\":\"$.p\",\"contact.name"
               "\":\"$.a.b\",\"utm.source\":\"news\"}"),
        SOURCE("generic", ",\"dedupe\":\"body\",\"each\":\"$.items\",\"map\":{"
                          "\"type\":\"$.t\",\"name\":\"$\",\"ip\":\"$.ip\"}"),
    };
    enum { COUNT = sizeof(configs) / sizeof(configs[0]) };
    static struct hook_source sources[COUNT];
    struct hook_source *source = &sources[index % COUNT];
    struct lb_error err;

    if (source->id == NULL) {
        must(hook_source_read(cJSON_Parse(configs[index % COUNT]), source,
                              &err) == LB_OK);
    }
    return source;
}

static void check_batch(const struct batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        const struct entry *entry = &batch->events[i]->entry;

        must(entry->site > 0 && entry->ts_at_ms <= NOW_MS + EVENT_FUTURE_MS);
        must(entry->text[ENTRY_TEXT_ID] != NULL &&
             strlen(entry->text[ENTRY_TEXT_ID]) <= EVENT_ID_BYTES);
        for (int j = 0; j < ENTRY_TEXT_COUNT; j++) {
            const char *text = entry->text[j];

            must(text == NULL || lb_text_is_utf8(text, strlen(text)));
        }
    }
}

static void look(unsigned choice, const char *body, size_t len)
{
    static const enum lb_inflate_kind packings[] = {
        LB_INFLATE_NONE, LB_INFLATE_NONE, LB_INFLATE_GZIP, LB_INFLATE_ZSTD};
    struct hook_delivery delivery;

    hook_delivery_init(&delivery);
    delivery.source = source_at(choice & 15);
    delivery.packing = packings[choice >> 6 & 3];
    delivery.is_packing_known = true;
    delivery.context = context;
    delivery.limits = (struct batch_limits){.body_inflated_bytes = 1 << 20,
                                            .room_bytes = 1 << 20,
                                            .events = 50,
                                            .event_bytes = 65536,
                                            .json_depth = 32};
    delivery.proof.is_near = true;
    delivery.proof.body = body;
    delivery.proof.len = len;
    hook_delivery_look(&delivery);
    must(hook_delivery_is_right(&delivery));
    must(delivery.batch.status == 0 || delivery.batch.code != NULL);
    if (delivery.batch.status == 0) {
        check_batch(&delivery.batch);
    }
    hook_delivery_deinit(&delivery);
}

/* The bytes as what a header holds: never a right signature. */
static void verify(const char *text)
{
    static const struct hook_sign hmac = {.scheme = HOOK_SIGN_HMAC,
                                          .header = "X",
                                          .timestamp_header = "Y",
                                          .tolerance_s = 300,
                                          .secrets = {{{1, 2, 3}, 3}},
                                          .secret_count = 1};
    struct hook_sign sign = hmac;
    struct hook_sign_proof proof = {.value = text,
                                    .timestamp = text,
                                    .id = text,
                                    .url_secret = NULL,
                                    .body = "{}",
                                    .len = 2,
                                    .now_s = NOW_MS / 1000};
    enum hook_sign_encoding encoding;

    for (int i = 0; i < HOOK_SIGN_NONE; i++) {
        sign.scheme = (enum hook_sign_scheme)i;
        proof.url_secret = i == HOOK_SIGN_URL_SECRET ? text : NULL;
        must(hook_sign_verify(&sign, &proof, &encoding) != HOOK_SIGN_RIGHT ||
             strcmp(text, "\1\2\3") == 0);
    }
}

static void follow(const char *path)
{
    static cJSON *root;
    bool is_twice = false;

    root = root == NULL ? cJSON_Parse("{\"a\":[{\"b\":1},{\"b\":{\"c\":2}}]}")
                        : root;
    if (hook_path_find(root, path, &is_twice) != NULL) {
        must(hook_path_fault(path) == NULL && hook_path_is_path(path));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *body;

    if (size == 0) {
        return 0;
    }
    if (context.visitors == NULL) {
        set_up();
    }
    body = malloc(size); /* exactly as long, so that a read past it shows */
    must(body != NULL);
    memcpy(body, data + 1, size - 1);
    body[size - 1] = '\0';
    verify(body);
    follow(body);
    look(data[0], body, size - 1);
    free(body);
    return 0;
}
