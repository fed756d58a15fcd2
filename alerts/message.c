/* message.c - what an alert says. */
#include "alerts/message.h"

#include <string.h>

#include "alerts/summary.h"
#include "alerts/template.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define WORDS_BYTES 2000 /* of a summary in the rule's own words */

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL) {
        lb_json_add_key(out, key);
        lb_json_add_plain_string(out, text);
    }
}

static void add_utm(struct lb_buf *out, const struct entry *entry)
{
    static const char *const keys[] = {"source", "medium", "campaign", "term",
                                       "content"};
    bool has_any = false;

    for (int i = 0; i < 5; i++) {
        has_any = has_any || entry->text[ENTRY_TEXT_UTM_SOURCE + i] != NULL;
    }
    if (!has_any) {
        return;
    }
    lb_json_add_key(out, "utm");
    lb_buf_add_char(out, '{');
    for (int i = 0; i < 5; i++) {
        add_text(out, keys[i], entry->text[ENTRY_TEXT_UTM_SOURCE + i]);
    }
    lb_buf_add_char(out, '}');
}

static void add_contact(struct lb_buf *out, const struct entry *entry)
{
    static const char *const keys[ENTRY_CONTACT_COUNT] = {"email", "name",
                                                          "message", "phone"};
    bool has_any = false;

    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        has_any = has_any || entry->contact[i] != NULL;
    }
    if (!has_any) {
        return;
    }
    lb_json_add_key(out, "contact");
    lb_buf_add_char(out, '{');
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        add_text(out, keys[i], entry->contact[i]);
    }
    lb_buf_add_char(out, '}');
}

void message_event(const struct entry *entry,
                   const char *site,
                   struct lb_buf *out)
{
    static const struct {
        const char *key;
        enum entry_text text;
    } rows[] = {
        {"name", ENTRY_TEXT_NAME},         {"link", ENTRY_TEXT_LINK},
        {"host", ENTRY_TEXT_HOST},         {"page", ENTRY_TEXT_PAGE},
        {"referrer", ENTRY_TEXT_REFERRER}, {"source", ENTRY_TEXT_SOURCE},
        {"channel", ENTRY_TEXT_CHANNEL}};
    static const struct {
        const char *key;
        enum entry_text text;
    } places[] = {{"click_id", ENTRY_TEXT_CLICK_ID},
                  {"country", ENTRY_TEXT_COUNTRY},
                  {"region", ENTRY_TEXT_REGION},
                  {"city", ENTRY_TEXT_CITY},
                  {"device", ENTRY_TEXT_DEVICE},
                  {"browser", ENTRY_TEXT_BROWSER},
                  {"browser_version", ENTRY_TEXT_BROWSER_VERSION},
                  {"os", ENTRY_TEXT_OS},
                  {"os_version", ENTRY_TEXT_OS_VERSION}};

    lb_buf_add_char(out, '{');
    add_text(out, "id", entry->text[ENTRY_TEXT_ID]);
    add_text(out, "type", entry_type_name(entry->type));
    add_text(out, "site", site);
    lb_json_add_key(out, "ts");
    lb_json_add_time(out, entry->ts_at_ms);
    lb_json_add_key(out, "received");
    lb_json_add_time(out, entry->received_at_ms);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        add_text(out, rows[i].key, entry->text[rows[i].text]);
    }
    add_utm(out, entry);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        add_text(out, places[i].key, entry->text[places[i].text]);
    }
    lb_buf_printf(out, ",\"qr\":%s,\"double_tap\":%s",
                  entry->is_qr ? "true" : "false",
                  entry->is_double_tap ? "true" : "false");
    if (entry->has_amount) {
        lb_buf_add_text(out, ",\"value\":{\"amount\":");
        lb_json_add_double(out, (double)entry->amount_hundredths / 100, 2);
        add_text(out, "currency", entry->text[ENTRY_TEXT_CURRENCY]);
        lb_buf_add_char(out, '}');
    }
    add_contact(out, entry);
    lb_buf_add_text(out, ",\"props\":");
    lb_buf_add_text(out, entry->text[ENTRY_TEXT_PROPS] == NULL
                             ? "{}"
                             : entry->text[ENTRY_TEXT_PROPS]);
    lb_buf_add_char(out, '}');
}

/* --- links
 * ------------------------------------------------------------------------ */

static bool has_glob(const struct rule_match *match)
{
    for (size_t i = 0; i < match->glob_count; i++) {
        if (strchr(match->globs[i], '*') != NULL) {
            return true;
        }
    }
    return false;
}

static void add_traffic(const struct rule *rule, struct lb_buf *url)
{
    for (int i = 0; i < ENTRY_TRAFFIC_COUNT; i++) {
        if (rule->traffic == 1u << i && i != ENTRY_HUMAN) {
            lb_buf_printf(url, "&traffic=%s",
                          entry_traffic_name((enum entry_traffic)i));
        }
    }
    if ((rule->traffic & (rule->traffic - 1)) != 0) {
        lb_buf_add_text(url, "&traffic=all");
    }
}

/* Dimensions of rules that queries do not know. */
static bool is_for_rules_alone(const char *field)
{
    return strcmp(field, "visitor") == 0 || strcmp(field, "intent") == 0 ||
           strcmp(field, "value") == 0;
}

static void add_group_filter(const char *json, struct lb_buf *filter)
{
    cJSON *group = cJSON_Parse(json);
    const cJSON *item;

    cJSON_ArrayForEach (item, group) {
        if (is_for_rules_alone(item->string)) {
            continue;
        }
        lb_buf_printf(filter, "%s%s == ", filter->len == 0 ? "" : " and ",
                      item->string);
        if (cJSON_IsString(item)) {
            lb_json_add_plain_string(filter, item->valuestring);
        } else {
            lb_buf_add_text(filter, "null");
        }
    }
    cJSON_Delete(group);
}

static void add_match_filter(const struct rule_match *match,
                             struct lb_buf *filter)
{
    if (match->field.kind == RULE_FIELD_TYPE ||
        is_for_rules_alone(match->field.name) || has_glob(match)) {
        return;
    }
    lb_buf_printf(filter, "%s%s == [", filter->len == 0 ? "" : " and ",
                  match->field.name);
    for (size_t i = 0; i < match->glob_count; i++) {
        lb_buf_add_text(filter, i == 0 ? "" : ", ");
        lb_json_add_plain_string(filter, match->globs[i]);
    }
    lb_buf_add_char(filter, ']');
}

/* The filter that the rule's match and the group make, as far as queries know
 * them. */
static void add_filter(const struct message_alert *alert, struct lb_buf *url)
{
    struct lb_buf filter;

    lb_buf_init(&filter, MESSAGE_BYTES);
    add_group_filter(alert->group, &filter);
    for (size_t i = 0; i < alert->rule->match_count; i++) {
        add_match_filter(&alert->rule->matches[i], &filter);
    }
    if (filter.len > 0) {
        lb_buf_add_text(url, "&filter=");
        lb_text_percent_encode(url, lb_buf_text(&filter));
    }
    lb_buf_deinit(&filter);
}

static void add_links(const struct message_alert *alert, struct lb_buf *out)
{
    bool is_window =
        rule_is_windowed(alert->rule) || rule_is_aligned(alert->rule);
    bool is_total = alert->rule->kind == RULE_MILESTONE;
    bool is_of_metric =
        is_window || is_total || alert->rule->kind == RULE_ABSENT;
    char from[LB_CLOCK_TEXT_BYTES];
    char to[LB_CLOCK_TEXT_BYTES];
    char day[LB_ZONE_DAY_BYTES];
    struct lb_buf url;

    lb_buf_init(&url, MESSAGE_BYTES);
    lb_zone_format_day(
        lb_zone_local_day(alert->site->zone, alert->entry->ts_at_ms), day);
    /* Of silence, the last event is no part; of a count, all are. */
    lb_clock_format(is_total    ? 0
                    : is_window ? alert->window_from_ms
                                : alert->window_from_ms + 1,
                    from);
    lb_clock_format(alert->window_to_ms, to);
    lb_buf_printf(&url, "%s/v1/stats?site=", alert->public_url);
    lb_text_percent_encode(&url, alert->site->id);
    lb_buf_printf(&url, "&metrics=%s&from=%s",
                  is_of_metric ? rule_metric_name(alert->rule->metric)
                               : "views,clicks,leads",
                  is_of_metric ? from : day);
    if (is_of_metric) {
        lb_buf_printf(&url, "&to=%s", to);
    }
    add_traffic(alert->rule, &url);
    add_filter(alert, &url);
    add_text(out, "stats_url", lb_buf_text(&url));
    lb_buf_clear(&url);
    lb_buf_printf(&url, "%s/?site=", alert->public_url);
    lb_text_percent_encode(&url, alert->site->id);
    lb_buf_printf(&url, "&from=%s", day);
    add_text(out, "dashboard_url", lb_buf_text(&url));
    lb_buf_deinit(&url);
}

/* What was counted, and when; as far as the kind has it. */
static void add_figures(const struct message_alert *alert, struct lb_buf *out)
{
    const struct rule *rule = alert->rule;

    if (rule_is_of_event(rule)) {
        return;
    }
    if (rule->kind != RULE_NOT_PULLED) {
        add_text(out, "metric", rule_metric_name(rule->metric));
        lb_buf_add_text(out, ",\"value\":");
        lb_json_add_double(out, alert->value, rule->kind == RULE_CTR ? 4 : 2);
    }
    if (rule_is_aligned(rule)) {
        lb_buf_add_text(out, ",\"expected\":");
        lb_json_add_double(out, alert->expected, 4);
        lb_buf_printf(out, ",\"probability\":%.2g", alert->probability);
    }
    if (rule->kind == RULE_MILESTONE) {
        return;
    }
    lb_buf_add_text(out, ",\"window\":{\"from\":");
    lb_json_add_time(out, alert->window_from_ms);
    lb_buf_add_text(out, ",\"to\":");
    lb_json_add_time(out, alert->window_to_ms);
    lb_buf_add_char(out, '}');
    if (alert->contributors != NULL) {
        lb_buf_add_text(out, ",\"contributors\":");
        lb_buf_add_text(out, alert->contributors);
    }
}

/* words: the summary; NULL: the usual one. */
static void write_data(const struct message_alert *alert,
                       const char *words,
                       struct lb_buf *out)
{
    const struct rule *rule = alert->rule;
    struct lb_buf summary;

    lb_buf_add_char(out, '{');
    add_text(out, "alert", alert->id);
    add_text(out, "rule", rule->id);
    add_text(out, "kind", rule_kind_name(rule->kind));
    add_text(out, "severity", rule->severity);
    add_text(out, "site", alert->site->id);
    lb_buf_add_text(out, ",\"group\":");
    lb_buf_add_text(out, alert->group);
    add_figures(alert, out);
    add_text(out, "coverage",
             alert->coverage == NULL ? "complete" : alert->coverage);
    lb_buf_add_text(out, ",\"summary\":");
    lb_buf_init(&summary, MESSAGE_BYTES);
    if (words == NULL) {
        summary_write(alert, &summary);
    }
    lb_json_add_plain_string(out,
                             words == NULL ? lb_buf_text(&summary) : words);
    lb_buf_deinit(&summary);
    if (words != NULL) {
        lb_buf_add_text(out, ",\"templated\":true");
    }
    add_links(alert, out);
    lb_buf_add_text(out, ",\"event\":");
    if (!rule_is_of_event(rule)) {
        lb_buf_add_text(out, "null");
    } else {
        message_event(alert->entry, alert->site->id, out);
    }
    lb_buf_add_char(out, '}');
}

void message_data(const struct message_alert *alert, struct lb_buf *out)
{
    struct lb_buf plain;
    struct lb_buf words;
    cJSON *json;

    if (alert->rule->template == NULL) {
        write_data(alert, NULL, out);
        return;
    }
    lb_buf_init(&plain, MESSAGE_BYTES);
    lb_buf_init(&words, MESSAGE_BYTES);
    write_data(alert, NULL, &plain);
    json = cJSON_Parse(lb_buf_text(&plain));
    template_render(alert->rule->template, json, &words);
    if (words.len > WORDS_BYTES) {
        words.len = lb_text_cut(words.data, words.len, WORDS_BYTES);
        words.data[words.len] = '\0';
    }
    write_data(alert, lb_buf_text(&words), out);
    cJSON_Delete(json);
    lb_buf_deinit(&plain);
    lb_buf_deinit(&words);
}

void message_resolved(const char *data,
                      int64_t fired_at_ms,
                      int64_t at_ms,
                      const double *value,
                      struct lb_buf *out)
{
    cJSON *json = cJSON_Parse(data);
    const cJSON *item;

    lb_buf_add_char(out, '{');
    cJSON_ArrayForEach (item, json) {
        lb_json_add_key(out, item->string);
        if (value != NULL && strcmp(item->string, "value") == 0) {
            lb_json_add_double(out, *value, 4);
        } else {
            lb_json_add_item(out, item);
        }
    }
    lb_json_add_key(out, "resolved");
    lb_json_add_time(out, at_ms);
    lb_buf_printf(out, ",\"lasted_s\":%lld}",
                  (long long)((at_ms - fired_at_ms) / LB_MS_PER_S));
    cJSON_Delete(json);
}

void message_body(const char *type,
                  int64_t at_ms,
                  const char *data,
                  struct lb_buf *out)
{
    lb_buf_printf(out, "{\"type\":\"%s\",\"timestamp\":", type);
    lb_json_add_time(out, at_ms);
    lb_buf_add_text(out, ",\"data\":");
    lb_buf_add_text(out, data);
    lb_buf_add_char(out, '}');
}
