/* bench_event.c - what an event costs the loop thread, and where it goes:
 * bench_event AGENTS [FILE.mmdb].  AGENTS has one user agent a line.  Prints
 * nanoseconds an event, the best of fifty rounds. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "ingest/channel.h"
#include "ingest/event.h"
#include "ingest/place.h"
#include "ingest/utm.h"

#define ROUNDS 50
#define EVENTS 500
#define TEXT_BYTES 1800
#define ARENA_BYTES ((size_t)256 << 20)
#define JSON_DEPTH 32

/* One event as it comes and as the parts get it. */
struct sample {
    char text[TEXT_BYTES];
    char url[160];
    char agent[BOT_AGENT_BYTES];
    struct lb_ip address;
    cJSON *json; /* in the round's arena */
};

static struct sample samples[EVENTS];
static struct event_context context;
static const struct catalog_site *site;
static const char referrer[] = "https://l.instagram.com/?u=x";

static void must(bool is_right, const char *what)
{
    if (!is_right) {
        (void)fprintf(stderr, "bench_event: %s\n", what);
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

/* A database in memory with one site, for the life of the process. */
static void set_up(void)
{
    static const struct writer_limits limits = {
        .queue_events = 1000, .queue_bytes = 1 << 20, .group_events = 100};
    const char *const hosts[] = {"l.alice.bio"};
    const struct catalog_site_draft draft = {
        "alice.bio",
        "Europe/Paris",
        hosts,
        1,
        "{\"ignore_ips\":[\"192.0.2.64/28\",\"2001:db8::/32\"]}",
        false};
    static struct writer *writer;
    static struct catalog_holder *holder;
    static struct catalog *catalog;
    struct lb_error err = {LB_OK, ""};
    int64_t number;

    must(writer_new(NULL, ":memory:", &limits, &writer, &err) == LB_OK &&
             catalog_holder_new(writer, &holder, &err) == LB_OK &&
             db_begin(writer_db(writer), &err) == LB_OK &&
             catalog_put_site(holder, writer_db(writer), &draft, &number,
                              &err) == LB_OK &&
             db_commit(writer_db(writer), &err) == LB_OK &&
             catalog_load(writer_db(writer), &catalog, &err) == LB_OK &&
             visitor_new(writer, &context.visitors, &err) == LB_OK &&
             agent_cache_new(&context.agents, &err) == LB_OK,
         err.text);
    context.sources = source_table_new();
    must(context.sources != NULL, "out of memory");
    context.catalog = catalog;
    context.received_at_ms = lb_clock_wall_ms();
    context.import = "";
    context.text_bytes = 256;
    site = catalog_site_find(catalog, "alice.bio");
}

static void make_samples(FILE *agents)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < EVENTS; i++) {
        struct sample *sample = &samples[i];
        char ip[32];

        if (fgets(sample->agent, sizeof(sample->agent), agents) == NULL) {
            must(i > 0 && ferror(agents) == 0, "no user agents");
            rewind(agents);
            must(fgets(sample->agent, sizeof(sample->agent), agents) != NULL,
                 "no user agents");
        }
        sample->agent[strcspn(sample->agent, "\"\\\n")] = '\0';
        seed = seed * 1103515245 + 12345;
        (void)snprintf(ip, sizeof(ip), "%u.%u.%u.7", 1 + (seed >> 24) % 222,
                       seed >> 16 & 255, seed >> 8 & 255);
        must(lb_ip_parse(ip, &sample->address), "no address");
        (void)snprintf(sample->url, sizeof(sample->url),
                       "https://alice.bio/page-%zu?utm_source=newsletter&"
                       "utm_medium=email&utm_campaign=c%zu",
                       i % 50, i % 30);
        must(snprintf(sample->text, sizeof(sample->text),
                      "{\"type\":\"view\",\"site\":\"alice.bio\",\"id\":"
                      "\"b1-%zu\",\"link\":\"book-call\",\"url\":\"%s\","
                      "\"referrer\":\"%s\",\"ip\":\"%s\",\"user_agent\":"
                      "\"%s\",\"props\":{\"plan\":\"pro\"}}",
                      i, sample->url, referrer, ip, sample->agent) < TEXT_BYTES,
             "a user agent is too long");
    }
}

typedef bool (*part_fn)(struct sample *sample, struct lb_arena *arena);

static bool parse(struct sample *sample, struct lb_arena *arena)
{
    struct lb_json_fault fault;

    return lb_json_parse(sample->text, strlen(sample->text), JSON_DEPTH, arena,
                         &sample->json, &fault) == LB_OK;
}

static bool read_event(struct sample *sample, struct lb_arena *arena)
{
    struct event_fault fault;
    struct event event;

    return event_read(&context, sample->json, arena, &event, &fault);
}

static bool attribute(struct sample *sample, struct lb_arena *arena)
{
    struct source_self self = {"alice.bio", site->id, site->hosts,
                               site->host_count};
    struct source_referrer read;
    struct source_verdict verdict;
    struct utm utm;

    return utm_read_url(sample->url, strlen(sample->url), false, arena, &utm) ==
               LB_OK &&
           source_read_referrer(context.sources, referrer, strlen(referrer),
                                &self, arena, &read) == LB_OK &&
           source_decide(context.sources, &utm, &read, arena, &verdict) ==
               LB_OK &&
           channel_decide(&utm, &verdict) != NULL;
}

static bool look_at_agent(struct sample *sample, struct lb_arena *arena)
{
    struct agent_answer answer =
        agent_cache_find(context.agents, sample->agent, strlen(sample->agent));
    struct traffic_facts facts = {
        .is_ignored = lb_ip_set_contains(site->ignored, &sample->address),
        .verdict = &answer.verdict};
    struct entry entry = {0};

    traffic_decide(&facts, &entry);
    return agent_fill(&answer.agent, &entry, arena) == LB_OK;
}

static bool find_place(struct sample *sample, struct lb_arena *arena)
{
    struct entry entry = {0};

    return place_fill(&entry, context.geo, &sample->address, arena) == LB_OK;
}

static bool hash_visitor(struct sample *sample, struct lb_arena *arena)
{
    const struct visitor_salt *salt = visitor_salt_of(
        context.visitors, site, context.received_at_ms, context.import);

    (void)arena;
    return salt != NULL &&
           visitor_hash_address(salt, site->id, &sample->address,
                                sample->agent) != 0;
}

static int64_t time_part(part_fn part)
{
    int64_t best_ns = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        struct lb_arena *arena = lb_arena_new(ARENA_BYTES);
        int64_t began_ns;

        must(arena != NULL, "out of memory");
        for (size_t i = 0; i < EVENTS; i++) {
            must(parse(&samples[i], arena), "not JSON");
        }
        began_ns = lb_clock_mono_ns();
        for (size_t i = 0; i < EVENTS; i++) {
            must(part(&samples[i], arena), "an event was refused");
        }
        began_ns = lb_clock_mono_ns() - began_ns;
        best_ns = began_ns < best_ns ? began_ns : best_ns;
        lb_arena_free(arena);
    }
    return best_ns / EVENTS;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        part_fn part;
    } parts[] = {
        {"JSON, checked and parsed", parse},
        {"the event, read and enriched; of this:", read_event},
        {"  campaign, referrer, source, channel", attribute},
        {"  user agent: device, class", look_at_agent},
        {"  place", find_place},
        {"  visitor", hash_visitor},
    };
    FILE *agents = argc > 1 ? fopen(argv[1], "r") : NULL;
    struct geo *geo = NULL;
    struct lb_error err = {LB_OK, ""};

    must(agents != NULL, "bench_event AGENTS [FILE.mmdb]");
    set_up();
    if (argc > 2) {
        const char *const paths[] = {argv[2]};

        must(geo_open(paths, 1, GEO_CHECK_TYPE, &geo, &err) == LB_OK, err.text);
        context.geo = geo;
    }
    make_samples(agents);
    (void)fclose(agents);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)printf("%-40s %5" PRId64 " ns\n", parts[i].name,
                     time_part(parts[i].part));
    }
    geo_close(geo);
    return 0;
}
