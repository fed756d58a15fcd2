/* intake.c - what every way in shares. */
#include "ingest/intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/http_request.h"
#include "base/http_respond.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "ingest/agent_cache.h"
#include "ingest/datacentre.h"
#include "ingest/gap_store.h"
#include "ingest/sender_rate.h"

#define HINT_BYTES 96

struct intake {
    struct intake_parts parts;
    struct intake_settings settings;
    struct agent_cache *agents;    /* owned */
    struct datacentre *datacentre; /* owned */
    struct refused_store *refused; /* owned */
    struct sender_rate *senders;   /* owned */
    struct gap_store *gaps;        /* owned */
    struct lb_metric *accepted[ENTRY_TYPE_COUNT];
    struct lb_metric *duplicate[ENTRY_TYPE_COUNT];
    struct lb_metric *duplicates;
    struct lb_metric *lost[ENTRY_TYPE_COUNT];
};

static bool is_kept(const struct lb_config_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->values[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void fill_settings(struct intake *intake, const struct lb_config *config)
{
    static const char *const names[ENTRY_CONTACT_COUNT] = {"email", "name",
                                                           "message", "phone"};
    struct intake_settings *settings = &intake->settings;

    settings->inflight_bytes = (size_t)config->inflight_bytes;
    settings->limits.body_inflated_bytes = (size_t)config->body_inflated_bytes;
    settings->limits.events = (size_t)config->events_per_request;
    settings->limits.event_bytes = (size_t)config->event_bytes;
    settings->limits.json_depth = (unsigned)config->json_depth;
    settings->is_case_kept = strcmp(config->utm_case, "keep") == 0;
    settings->text_bytes = (size_t)config->text_bytes;
    settings->rates[INTAKE_RATE] = config->rate;
    settings->rates[INTAKE_RATE_PER_SOURCE] = config->rate_per_source;
    settings->rates[INTAKE_RATE_PER_IP] = config->rate_per_ip;
    settings->dedupe_window_ms = config->dedupe_window_ms;
    settings->double_tap_window_ms = config->double_tap_window_ms;
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        settings->is_contact_kept[i] = is_kept(&config->keep_contact, names[i]);
    }
}

static void make_metrics(struct intake *intake)
{
    const char *help = "Events by type and what became of them.";
    char labels[64];

    for (int type = 0; type < ENTRY_TYPE_COUNT; type++) {
        const char *name = entry_type_name((enum entry_type)type);

        (void)snprintf(labels, sizeof(labels),
                       "type=\"%s\",result=\"accepted\"", name);
        intake->accepted[type] = lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_events_total", help, labels);
        (void)snprintf(labels, sizeof(labels),
                       "type=\"%s\",result=\"duplicate\"", name);
        intake->duplicate[type] = lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_events_total", help, labels);
        (void)snprintf(labels, sizeof(labels), "type=\"%s\",result=\"lost\"",
                       name);
        intake->lost[type] = lb_metrics_get(
            LB_METRIC_COUNTER, "linkbell_events_total", help, labels);
    }
    intake->duplicates =
        lb_metrics_get(LB_METRIC_COUNTER, "linkbell_duplicates_total",
                       "Events whose id was known.", "");
}

enum lb_err intake_new(const struct intake_parts *parts,
                       const struct lb_config *config,
                       struct intake **intake_out,
                       struct lb_error *err)
{
    struct intake *intake = calloc(1, sizeof(*intake));
    enum lb_err rc;

    *intake_out = intake;
    if (intake == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    intake->parts = *parts;
    intake->senders = sender_rate_new();
    rc = intake->senders == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                                 : agent_cache_new(&intake->agents, err);
    rc = rc == LB_OK
             ? datacentre_new(config->datacentre_list, &intake->datacentre, err)
             : rc;
    rc = rc == LB_OK ? refused_store_new(parts->writer, &intake->refused, err)
                     : rc;
    rc = rc == LB_OK
             ? gap_store_new(parts->writer, parts->store, &intake->gaps, err)
             : rc;
    make_metrics(intake);
    fill_settings(intake, config);
    return rc;
}

void intake_free(struct intake *intake)
{
    if (intake != NULL) {
        agent_cache_free(intake->agents);
        datacentre_free(intake->datacentre);
        refused_store_free(intake->refused);
        gap_store_free(intake->gaps);
        sender_rate_free(intake->senders);
        free(intake);
    }
}

void intake_set_config(struct intake *intake, const struct lb_config *config)
{
    fill_settings(intake, config);
    event_store_set_burst(intake->parts.store, config->burst_per_minute);
    datacentre_reload(intake->datacentre, config->datacentre_list,
                      intake->parts.parsers);
}

const struct intake_parts *intake_parts(const struct intake *intake)
{
    return &intake->parts;
}

const struct intake_settings *intake_settings(const struct intake *intake)
{
    return &intake->settings;
}

void intake_fill_context(struct intake *intake,
                         const struct catalog *catalog,
                         const struct lb_http_request *http,
                         struct event_context *context_out)
{
    struct event_context *context = context_out;
    const struct intake_parts *parts = &intake->parts;

    memset(context, 0, sizeof(*context));
    context->catalog = catalog;
    context->sources = parts->sources;
    context->visitors = parts->visitors;
    memcpy(context->id_key, event_store_id_key(parts->store),
           sizeof(context->id_key));
    context->received_at_ms = lb_clock_wall_ms();
    context->import = "";
    context->is_case_kept = intake->settings.is_case_kept;
    context->text_bytes = intake->settings.text_bytes;
    memcpy(context->is_contact_kept, intake->settings.is_contact_kept,
           sizeof(context->is_contact_kept));
    context->is_private = lb_client_rules_is_private(parts->clients, http);
    context->geo = geo_watch_current(parts->geo);
    context->agents = intake->agents;
    context->refused = intake->refused;
    context->datacentres = datacentre_current(intake->datacentre);
    context->referrer = lb_http_request_header(http, "Referer");
    if (context->referrer != NULL &&
        !lb_text_is_made_of(context->referrer, "!-~", SOURCE_REFERRER_BYTES)) {
        context->referrer = NULL;
    }
}

void intake_release(struct event_context *context)
{
    geo_close(context->geo);
    datacentre_release(context->datacentres);
}

bool intake_read_encoding(const struct lb_http_request *http,
                          enum lb_inflate_kind *kind_out)
{
    static const struct {
        const char *name;
        enum lb_inflate_kind kind;
    } codings[] = {{"identity", LB_INFLATE_NONE},
                   {"gzip", LB_INFLATE_GZIP},
                   {"zstd", LB_INFLATE_ZSTD}};
    size_t count = lb_http_request_header_count(http, "Content-Encoding");
    const char *coding = lb_http_request_header(http, "Content-Encoding");

    *kind_out = LB_INFLATE_NONE;
    for (size_t i = 0; count == 1 && i < sizeof(codings) / sizeof(codings[0]);
         i++) {
        if (strcasecmp(coding, codings[i].name) == 0) {
            *kind_out = codings[i].kind;
            return true;
        }
    }
    return count == 0;
}

const struct sender_rate *intake_senders(const struct intake *intake)
{
    return intake->senders;
}

bool intake_take_rate(struct intake *intake,
                      struct lb_http_request *http,
                      enum intake_rate limit,
                      uint64_t sender,
                      size_t count)
{
    static const struct {
        const char *limit;
        const char *text;
    } words[] = {
        {"rate", "This token sends more events a second than limits.rate."},
        {"rate_per_source", "This source sends more events a second than "
                            "limits.rate_per_source."},
        {"rate_per_ip",
         "This address sends more events a second than limits.rate_per_ip."}};
    int64_t per_second = intake->settings.rates[limit];
    int64_t wait_ms = 0;
    char wait[24];

    if (per_second == 0 ||
        sender_rate_take(intake->senders, sender, count, per_second,
                         lb_clock_mono_ms(), &wait_ms)) {
        return true;
    }
    lb_metrics_limit_hit(words[limit].limit);
    if (http != NULL) {
        (void)snprintf(wait, sizeof(wait), "%" PRId64,
                       (wait_ms + LB_MS_PER_S - 1) / LB_MS_PER_S);
        lb_http_respond_header(http, "Retry-After", wait);
        lb_http_respond_error(http, 429, "rate_limited", words[limit].text,
                              "Send it again after Retry-After.");
    }
    return false;
}

void intake_count(struct intake *intake,
                  struct event *const *events,
                  const bool *is_duplicate,
                  size_t count)
{
    int64_t accepted[ENTRY_TYPE_COUNT] = {0};
    int64_t duplicates[ENTRY_TYPE_COUNT] = {0};
    int64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        int type = (int)events[i]->entry.type;

        if (events[i]->engagement != NULL) {
            continue;
        }
        if (is_duplicate[i]) {
            duplicates[type]++;
            sum++;
            refused_store_note(intake->refused, events[i]->entry.site,
                               REFUSED_DUPLICATE, lb_clock_wall_ms());
        } else {
            accepted[type]++;
        }
    }
    for (int type = 0; type < ENTRY_TYPE_COUNT; type++) {
        if (accepted[type] > 0) {
            lb_metrics_add(intake->accepted[type], accepted[type]);
        }
        if (duplicates[type] > 0) {
            lb_metrics_add(intake->duplicate[type], duplicates[type]);
        }
    }
    if (sum > 0) {
        lb_metrics_add(intake->duplicates, sum);
    }
}

void intake_count_lost(struct intake *intake, const struct event *event)
{
    if (event->engagement == NULL) {
        lb_metrics_add(intake->lost[event->entry.type], 1);
        gap_store_note(intake->gaps, event->entry.site, lb_clock_wall_ms());
    }
}

void intake_respond_failed(struct lb_http_request *http,
                           enum lb_err rc,
                           const struct lb_error *err)
{
    bool is_full = rc == LB_EFULL;

    if (is_full) {
        lb_metrics_limit_hit("disk_reserve");
    }
    lb_log_limited(LB_LOG_ERROR, "append_failed", "text=\"%s\"", err->text);
    lb_http_respond_header(http, "Retry-After", is_full ? "30" : "1");
    lb_http_respond_error(
        http, 503, is_full ? "disk_full" : "not_ready",
        is_full ? "The disk is full; nothing of this request was stored."
                : "The database can't be written now; nothing of this request "
                  "was stored.",
        "Send the same request again, with the same ids, after Retry-After.");
}

void intake_respond_full(struct lb_http_request *http,
                         const struct lb_error *limit)
{
    char hint[HINT_BYTES];

    lb_metrics_limit_hit(limit->text);
    (void)snprintf(hint, sizeof(hint),
                   "Send it again after Retry-After. See limits.%.30s.",
                   limit->text);
    lb_http_respond_header(http, "Retry-After", "1");
    lb_http_respond_error(http, 503, "overloaded",
                          "Too many events wait to be stored; nothing of this "
                          "request was.",
                          hint);
}
