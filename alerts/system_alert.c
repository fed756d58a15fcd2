/* system_alert.c - alerts about the service itself. */
#include "alerts/system_alert.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_store.h"
#include "alerts/message.h"
#include "alerts/rule.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#define OCCASION_BYTES 64
#define SUMMARY_BYTES 600 /* of one, in the log */
#define ID_BYTES 64       /* of a destination */

struct system_alert {
    pthread_mutex_t lock;
    /* By lock: */
    char public_url[LB_CONFIG_TEXT_BYTES];
    char fallback[LB_CONFIG_LIST_MAX][ID_BYTES];
    size_t fallback_count;
    /* The writer thread's: */
    void (*wake)(void *ctx);
    void *wake_ctx;
    bool has_queued;
};

/* A notice as it stands in the log. */
struct told {
    const char *rule;
    const char *severity;
    const char *site;
    const char *coverage;
    const char *summary;
    const cJSON *group;
    int64_t from_at_ms;
    int64_t to_at_ms;
};

enum lb_err system_alert_new(const struct lb_config *config,
                             struct system_alert **alert_out,
                             struct lb_error *err)
{
    struct system_alert *alert = calloc(1, sizeof(*alert));

    *alert_out = NULL;
    if (alert == NULL || pthread_mutex_init(&alert->lock, NULL) != 0) {
        free(alert);
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    system_alert_set_config(alert, config);
    *alert_out = alert;
    return LB_OK;
}

void system_alert_free(struct system_alert *alert)
{
    if (alert != NULL) {
        (void)pthread_mutex_destroy(&alert->lock);
        free(alert);
    }
}

void system_alert_set_config(struct system_alert *alert,
                             const struct lb_config *config)
{
    (void)pthread_mutex_lock(&alert->lock);
    lb_config_base_url(config, alert->public_url);
    alert->fallback_count = config->fallback.count;
    for (size_t i = 0; i < config->fallback.count; i++) {
        (void)snprintf(alert->fallback[i], ID_BYTES, "%.63s",
                       config->fallback.values[i]);
    }
    (void)pthread_mutex_unlock(&alert->lock);
}

void system_alert_set_wake(struct system_alert *alert,
                           void (*wake)(void *ctx),
                           void *ctx)
{
    alert->wake = wake;
    alert->wake_ctx = ctx;
}

/* --- one alert ------------------------------------------------------------ */

static bool read_told(const cJSON *json, struct told *out)
{
    *out = (struct told){lb_json_text(json, "rule"),
                         lb_json_text(json, "severity"),
                         lb_json_text(json, "site"),
                         lb_json_text(json, "coverage"),
                         lb_json_text(json, "summary"),
                         cJSON_GetObjectItemCaseSensitive(json, "group"),
                         lb_json_int(json, "from"),
                         lb_json_int(json, "to")};
    return out->rule != NULL && out->severity != NULL && out->site != NULL &&
           out->coverage != NULL && out->summary != NULL &&
           cJSON_IsObject(out->group);
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    lb_json_add_key(out, key);
    lb_json_add_plain_string(out, text);
}

static void add_links(const struct system_alert *alert,
                      const struct told *told,
                      struct lb_buf *out)
{
    char from[LB_CLOCK_TEXT_BYTES];
    char to[LB_CLOCK_TEXT_BYTES];
    struct lb_buf url;

    lb_clock_format(told->from_at_ms, from);
    lb_clock_format(told->to_at_ms, to);
    lb_buf_init(&url, MESSAGE_BYTES);
    lb_buf_printf(&url, "%s/v1/stats?site=", alert->public_url);
    lb_text_percent_encode(&url, told->site);
    lb_buf_printf(&url, "&metrics=views,clicks,leads&by=time:15m&from=%s&to=%s",
                  from, to);
    add_text(out, "stats_url", lb_buf_text(&url));
    lb_buf_clear(&url);
    lb_buf_printf(&url, "%s/?site=", alert->public_url);
    lb_text_percent_encode(&url, told->site);
    lb_buf_printf(&url, "&from=%.10s", from);
    add_text(out, "dashboard_url", lb_buf_text(&url));
    lb_buf_deinit(&url);
}

/* With the lock held. */
static void write_data(const struct system_alert *alert,
                       const struct told *told,
                       const char *id,
                       struct lb_buf *out)
{
    lb_buf_add_char(out, '{');
    add_text(out, "alert", id);
    add_text(out, "rule", told->rule);
    add_text(out, "kind", "system");
    add_text(out, "severity", told->severity);
    add_text(out, "site", told->site);
    lb_json_add_key(out, "group");
    lb_json_add_item(out, told->group);
    lb_json_add_key(out, "window");
    lb_buf_add_text(out, "{\"from\":");
    lb_json_add_time(out, told->from_at_ms);
    lb_buf_add_text(out, ",\"to\":");
    lb_json_add_time(out, told->to_at_ms);
    lb_buf_add_char(out, '}');
    add_text(out, "coverage", told->coverage);
    add_text(out, "summary", told->summary);
    add_links(alert, told, out);
    lb_buf_add_text(out, ",\"event\":null}");
}

static void make_id(const struct told *told, char out[RULE_ALERT_ID_BYTES])
{
    char occasion[OCCASION_BYTES];
    struct lb_buf group;

    (void)snprintf(occasion, sizeof(occasion), "%" PRId64 "-%" PRId64,
                   told->from_at_ms, told->to_at_ms);
    lb_buf_init(&group, MESSAGE_BYTES);
    lb_json_add_item(&group, told->group);
    rule_alert_id(told->rule, told->site, lb_buf_text(&group), occasion, out);
    lb_buf_deinit(&group);
}

static void count_alert(const char *rule)
{
    char labels[96];

    (void)snprintf(labels, sizeof(labels), "rule=\"%.40s\",result=\"fired\"",
                   rule);
    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, "linkbell_alerts_total",
                                  "Alerts by rule and what became of them.",
                                  labels),
                   1);
}

static enum lb_err queue(struct system_alert *alert,
                         struct db *db,
                         const struct alert_store_row *row,
                         const char *about,
                         struct lb_error *err)
{
    const char *destinations[LB_CONFIG_LIST_MAX];
    struct alert_store_message message = {"alert.fired", NULL, destinations, 0};
    struct lb_buf body;
    enum lb_err rc;

    for (size_t i = 0; i < alert->fallback_count; i++) {
        /* Not the one that the alert is about. */
        if (about == NULL || strcmp(about, alert->fallback[i]) != 0) {
            destinations[message.count++] = alert->fallback[i];
        }
    }
    if (message.count == 0) {
        return LB_OK;
    }
    lb_buf_init(&body, 2 * MESSAGE_BYTES);
    message_body("alert.fired", row->fired_at_ms, row->data, &body);
    message.body = lb_buf_text(&body);
    rc = alert_store_queue(db, row, &message, err);
    alert->has_queued = true;
    lb_buf_deinit(&body);
    return rc;
}

static enum lb_err raise_told(struct system_alert *alert,
                              struct db *db,
                              const struct told *told,
                              int64_t at_ms,
                              struct lb_error *err)
{
    char id[RULE_ALERT_ID_BYTES];
    struct alert_store_row row = {id,    told->rule, told->site, told->severity,
                                  at_ms, NULL,       NULL};
    char summary[SUMMARY_BYTES];
    struct lb_buf data;
    bool is_new = false;
    enum lb_err rc;

    make_id(told, id);
    lb_buf_init(&data, MESSAGE_BYTES);
    (void)pthread_mutex_lock(&alert->lock);
    write_data(alert, told, id, &data);
    row.data = lb_buf_text(&data);
    rc = alert_store_put(db, &row, &is_new, err);
    if (rc == LB_OK && is_new) {
        count_alert(told->rule);
        lb_log(LB_LOG_WARN, "system_alert", "alert=%s rule=%.40s text=%s", id,
               told->rule,
               lb_log_quote(told->summary, summary, sizeof(summary)));
        rc = alert->fallback_count == 0
                 ? LB_OK
                 : queue(alert, db, &row,
                         lb_json_text(told->group, "destination"), err);
    }
    (void)pthread_mutex_unlock(&alert->lock);
    lb_buf_deinit(&data);
    return rc;
}

/* --- the consumer --------------------------------------------------------- */

static enum lb_err tell(struct system_alert *alert,
                        struct db *db,
                        const struct entry *entry,
                        struct lb_error *err)
{
    struct told told;
    enum lb_err rc = LB_OK;
    cJSON *json;

    if (entry->kind != ENTRY_NOTICE || entry->data == NULL) {
        return LB_OK;
    }
    json = cJSON_Parse(entry->data);
    if (read_told(json, &told)) {
        rc = raise_told(alert, db, &told, entry->received_at_ms, err);
    }
    cJSON_Delete(json);
    return rc;
}

static enum lb_err apply(void *ctx,
                         struct db *db,
                         const struct entry *const *entries,
                         size_t count,
                         struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < count && rc == LB_OK; i++) {
        rc = tell(ctx, db, entries[i], err);
    }
    return rc;
}

static void committed(void *ctx)
{
    struct system_alert *alert = ctx;

    if (alert->has_queued && alert->wake != NULL) {
        alert->wake(alert->wake_ctx);
    }
    alert->has_queued = false;
}

static void rolled_back(void *ctx)
{
    struct system_alert *alert = ctx;

    alert->has_queued = false;
}

struct cursor_consumer system_alert_consumer(struct system_alert *alert)
{
    return (struct cursor_consumer){"system", alert, apply, committed,
                                    rolled_back};
}
