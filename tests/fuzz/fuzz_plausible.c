/* fuzz_plausible.c - a body of POST /api/event: whatever passes makes native
 * events that are taken, whatever doesn't has a fault that can be told. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "ingest/event_store.h"
#include "ingest/plausible.h"
#include "sql/engagement.h"

#define NOW_MS INT64_C(1795510800000)
#define ARENA_BYTES ((size_t)8 << 20)
#define TEXT_BYTES ((size_t)1 << 20)
#define DEPTH 32

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
    const struct catalog_site_draft sites[] = {
        {.id = "alice.bio",
         .timezone = "UTC",
         .settings_json = "{\"lead_events\":[\"Signup\"]}"},
        {.id = "b", .timezone = "UTC", .settings_json = "{}"}};
    struct catalog_link_draft link = {.slug = "shop",
                                      .title = "",
                                      .url = "https://shop.example",
                                      .intent = "",
                                      .is_enabled = true};
    static struct writer *writer;
    static struct catalog_holder *holder;
    static struct catalog *catalog;
    struct lb_error err;

    must(writer_new(NULL, ":memory:", &limits, &writer, &err) == LB_OK);
    must(catalog_holder_new(writer, &holder, &err) == LB_OK);
    must(db_begin(writer_db(writer), &err) == LB_OK);
    for (int i = 1; i >= 0; i--) {
        must(catalog_put_site(holder, writer_db(writer), &sites[i], &link.site,
                              &err) == LB_OK);
    }
    must(catalog_put_link(holder, writer_db(writer), &link, &err) == LB_OK);
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
    context.is_length_free = true;
    context.is_contact_kept[ENTRY_CONTACT_EMAIL] = true;
}

static void check_event(const struct plausible *plausible,
                        size_t index,
                        struct lb_arena *arena)
{
    struct event_fault fault;
    struct event event;
    struct lb_buf text;
    cJSON *json;

    lb_buf_init(&text, TEXT_BYTES);
    plausible_write_event(plausible, index, &text);
    must(!text.is_failed);
    must(lb_text_is_utf8(lb_buf_text(&text), text.len));
    json = lb_json_parse_checked(lb_buf_text(&text), text.len, arena);
    must(json != NULL);
    context.is_passive = plausible->is_passive;
    context.is_fragment_kept = plausible->is_fragment_page;
    must(event_read(&context, json, arena, &event, &fault));
    must(event.site == plausible->sites[index]);
    must(event.entry.is_passive == plausible->is_passive);
    must(!plausible->is_engagement ||
         event_engage(&event, plausible->scroll_depth, plausible->attention_ms,
                      arena));
    lb_buf_deinit(&text);
}

static void check_read(const struct plausible *plausible,
                       struct lb_arena *arena)
{
    must(plausible->site_count + plausible->unknown_count > 0);
    must(plausible->prop_count <= PLAUSIBLE_PROPS);
    must(!plausible->is_engagement ||
         plausible->scroll_depth == ENGAGEMENT_UNKNOWN ||
         (plausible->scroll_depth >= 0 && plausible->scroll_depth <= 100));
    must(plausible->attention_ms >= 0);
    for (size_t i = 0; i < plausible->site_count; i++) {
        check_event(plausible, i, arena);
    }
}

static void check_faults(const struct plausible *plausible)
{
    struct lb_json_fault fault;
    struct lb_buf text;

    lb_buf_init(&text, TEXT_BYTES);
    plausible_write_faults(plausible, &text);
    must(lb_json_check(lb_buf_text(&text), text.len, 4, &fault) == LB_OK);
    must(strcmp(lb_buf_text(&text), "{\"errors\":{}}") != 0);
    lb_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
    struct plausible plausible;
    char *body = malloc(size == 0 ? 1 : size); /* exactly as long */
    enum lb_err rc;

    if (context.visitors == NULL) {
        set_up();
    }
    must(arena != NULL && body != NULL);
    memcpy(body, data, size);
    rc = plausible_read(&plausible, body, size, DEPTH, context.catalog, arena);
    if (rc == LB_OK) {
        check_read(&plausible, arena);
    } else {
        must(rc == LB_EINVAL);
        check_faults(&plausible);
    }
    lb_arena_free(arena);
    free(body);
    return 0;
}
