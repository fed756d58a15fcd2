/* rule.c - reading rules, matching events with them, groups, ids, limits. */
#include "alerts/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#define VALUE_BYTES 600
#define PROP_PREFIX "prop:"
#define DROP 0.3 /* of ctr, unless the rule says otherwise; likewise: */
#define MIN_VIEWS 500
#define CONFIDENCE 0.99
#define LEAST_SPIKE 5      /* of spike */
#define ALARMS 1.0         /* a month, of spike and drop */
#define LEAST_ALARMS 0.001 /* what detect_limit() tells apart */
#define MOST_ALARMS 100
#define FIRST_SEEN_PER_DAY 100 /* alerts, unless max_per_day says otherwise */

static const char *const kind_names[] = {
    "event",  "first_seen", "threshold", "burst", "milestone",
    "absent", "not_pulled", "ctr",       "spike", "drop"};
#define KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

static const char *const metric_names[] = {"views", "clicks",      "clicks_raw",
                                           "leads", "conversions", "visitors",
                                           "value", "ctr"};

const char *rule_kind_name(enum rule_kind kind)
{
    return kind_names[kind];
}

const char *rule_metric_name(enum rule_metric metric)
{
    return metric_names[metric];
}

bool rule_is_windowed(const struct rule *rule)
{
    return rule->kind == RULE_THRESHOLD || rule->kind == RULE_BURST;
}

bool rule_is_of_silence(const struct rule *rule)
{
    return rule->kind == RULE_ABSENT || rule->kind == RULE_NOT_PULLED;
}

bool rule_is_timed(const struct rule *rule)
{
    return rule_is_windowed(rule) || rule_is_of_silence(rule);
}

bool rule_is_lasting(const struct rule *rule)
{
    return rule_is_timed(rule) || rule_is_aligned(rule);
}

bool rule_is_of_baseline(const struct rule *rule)
{
    return rule->kind == RULE_SPIKE || rule->kind == RULE_DROP;
}

bool rule_is_aligned(const struct rule *rule)
{
    return rule_is_of_baseline(rule) || rule->kind == RULE_CTR;
}

bool rule_counts_visitors(const struct rule *rule)
{
    return rule->kind == RULE_MILESTONE && rule->metric == RULE_VISITORS;
}

bool rule_counts_crowds(const struct rule *rule)
{
    return rule_is_of_baseline(rule) && rule->metric == RULE_VISITORS;
}

bool rule_visitor(const struct entry *entry, char out[RULE_VISITOR_BYTES])
{
    (void)snprintf(out, RULE_VISITOR_BYTES, "%lld.%lld",
                   (long long)entry->visitor_day, (long long)entry->visitor);
    return entry->visitor != 0;
}

bool rule_is_of_event(const struct rule *rule)
{
    return rule->kind == RULE_EVENT || rule->kind == RULE_FIRST_SEEN;
}

static int find_word(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; word != NULL && i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* A value as text; numbers (utm_term: 2026) are kept in the rule. */
static const char *value_text(struct rule *rule, const cJSON *item)
{
    struct lb_buf text;
    char *kept = rule->numbers + rule->numbers_used;

    if (cJSON_IsString(item)) {
        return item->valuestring;
    }
    if (cJSON_IsBool(item)) {
        return cJSON_IsTrue(item) ? "true" : "false";
    }
    if (!cJSON_IsNumber(item)) {
        return NULL;
    }
    lb_buf_init(&text, 64);
    lb_json_add_item(&text, item);
    if (rule->numbers_used + text.len + 1 > sizeof(rule->numbers)) {
        kept = NULL;
    } else {
        memcpy(kept, lb_buf_text(&text), text.len + 1);
        rule->numbers_used += text.len + 1;
    }
    lb_buf_deinit(&text);
    return kept;
}

/* A value or a list of values, as texts. */
static size_t read_list(struct rule *rule, const cJSON *item, const char **out)
{
    size_t count = 0;
    const cJSON *child;

    if (item != NULL && !cJSON_IsArray(item)) {
        out[0] = value_text(rule, item);
        return out[0] == NULL ? 0 : 1;
    }
    cJSON_ArrayForEach (child, item) {
        if (count < RULE_LIST) {
            out[count] = value_text(rule, child);
            count += out[count] == NULL ? 0 : 1;
        }
    }
    return count;
}

bool rule_alarms_from_text(const char *text, double *per_month_out)
{
    static const struct {
        const char *name;
        double in_month;
    } units[] = {
        {"/day", 30}, {"/week", 30.0 / 7}, {"/month", 1}, {"/year", 1.0 / 12}};
    char *end = NULL;
    double number = text == NULL ? 0 : strtod(text, &end);

    for (size_t i = 0; end != NULL && end != text && i < 4; i++) {
        if (strcmp(end, units[i].name) == 0) {
            *per_month_out = number * units[i].in_month;
            return *per_month_out >= LEAST_ALARMS &&
                   *per_month_out <= MOST_ALARMS;
        }
    }
    return false;
}

static int64_t read_duration(const cJSON *body, const char *key)
{
    const char *text = lb_json_text(body, key);
    int64_t ms = 0;

    return text != NULL && lb_config_parse_duration(text, &ms) ? ms : 0;
}

/* --- dimensions
 * ------------------------------------------------------------------ */

static const struct {
    const char *name;
    enum entry_text text;
} text_fields[] = {{"link", ENTRY_TEXT_LINK},
                   {"page", ENTRY_TEXT_PAGE},
                   {"host", ENTRY_TEXT_HOST},
                   {"source", ENTRY_TEXT_SOURCE},
                   {"channel", ENTRY_TEXT_CHANNEL},
                   {"referrer", ENTRY_TEXT_REFERRER},
                   {"utm_source", ENTRY_TEXT_UTM_SOURCE},
                   {"utm_medium", ENTRY_TEXT_UTM_MEDIUM},
                   {"utm_campaign", ENTRY_TEXT_UTM_CAMPAIGN},
                   {"utm_term", ENTRY_TEXT_UTM_TERM},
                   {"utm_content", ENTRY_TEXT_UTM_CONTENT},
                   {"country", ENTRY_TEXT_COUNTRY},
                   {"region", ENTRY_TEXT_REGION},
                   {"city", ENTRY_TEXT_CITY},
                   {"device", ENTRY_TEXT_DEVICE},
                   {"browser", ENTRY_TEXT_BROWSER},
                   {"os", ENTRY_TEXT_OS},
                   {"name", ENTRY_TEXT_NAME},
                   {"reason", ENTRY_TEXT_REASON},
                   {"click_id", ENTRY_TEXT_CLICK_ID}};

static const struct {
    const char *name;
    enum rule_field_kind kind;
} other_fields[] = {
    {"type", RULE_FIELD_TYPE},     {"site", RULE_FIELD_SITE},
    {"intent", RULE_FIELD_INTENT}, {"traffic", RULE_FIELD_TRAFFIC},
    {"qr", RULE_FIELD_QR},         {"visitor", RULE_FIELD_VISITOR},
    {"value", RULE_FIELD_VALUE},
};

static struct rule_field find_field(const char *name)
{
    struct rule_field field = {name, RULE_FIELD_NONE, ENTRY_TEXT_ID};

    for (size_t i = 0; i < sizeof(text_fields) / sizeof(text_fields[0]); i++) {
        if (strcmp(name, text_fields[i].name) == 0) {
            field.kind = RULE_FIELD_TEXT;
            field.text = text_fields[i].text;
        }
    }
    for (size_t i = 0; i < sizeof(other_fields) / sizeof(other_fields[0]);
         i++) {
        if (strcmp(name, other_fields[i].name) == 0) {
            field.kind = other_fields[i].kind;
        }
    }
    if (strncmp(name, PROP_PREFIX, strlen(PROP_PREFIX)) == 0) {
        field.kind = RULE_FIELD_PROP;
    }
    return field;
}

static bool matches_any(const char *const *globs,
                        size_t count,
                        const char *text,
                        bool is_folded)
{
    for (size_t i = 0; i < count; i++) {
        if (is_folded ? lb_text_matches_glob_folded(globs[i], text)
                      : lb_text_matches_glob(globs[i], text)) {
            return true;
        }
    }
    return false;
}

/* --- reading
 * --------------------------------------------------------------------- */

static void read_matches(struct rule *rule, const cJSON *match)
{
    for (const cJSON *item = match == NULL ? NULL : match->child;
         item != NULL && rule->match_count < RULE_MATCHES; item = item->next) {
        struct rule_match *row = &rule->matches[rule->match_count++];

        row->field = find_field(item->string);
        row->glob_count = read_list(rule, item, row->globs);
    }
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The dimensions of per and key, in byte order and each once. */
static void read_group(struct rule *rule, const cJSON *body)
{
    const char *names[2 * RULE_LIST];
    size_t count =
        read_list(rule, cJSON_GetObjectItemCaseSensitive(body, "per"), names);

    rule->key_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "key"), rule->key);
    for (size_t i = 0; i < rule->key_count; i++) {
        names[count++] = rule->key[i];
    }
    qsort(names, count, sizeof(*names), compare_text);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) {
            rule->group[rule->group_count++] = find_field(names[i]);
        }
    }
}

static unsigned types_of_match(const struct rule_match *match)
{
    unsigned types = 0;

    for (int type = 0; type < ENTRY_TYPE_COUNT; type++) {
        if (matches_any(match->globs, match->glob_count,
                        entry_type_name((enum entry_type)type), false)) {
            types |= 1u << type;
        }
    }
    return types;
}

/* The types of events that the match and the metric leave. */
static unsigned find_types(const struct rule *rule)
{
    const unsigned all = (1u << ENTRY_TYPE_COUNT) - 1;
    const unsigned of_metric[] = {1u << ENTRY_VIEW,
                                  1u << ENTRY_CLICK,
                                  1u << ENTRY_CLICK,
                                  1u << ENTRY_LEAD,
                                  1u << ENTRY_CONVERSION,
                                  all,
                                  all,
                                  1u << ENTRY_VIEW | 1u << ENTRY_CLICK};
    unsigned types = rule_is_of_event(rule) ? all : of_metric[rule->metric];

    if (rule->kind == RULE_NOT_PULLED) {
        return 0;
    }
    for (size_t i = 0; i < rule->match_count; i++) {
        if (rule->matches[i].field.kind == RULE_FIELD_TYPE) {
            types &= types_of_match(&rule->matches[i]);
        }
    }
    return types;
}

static unsigned read_traffic(struct rule *rule, const cJSON *body)
{
    const char *words[RULE_LIST];
    size_t count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "traffic"), words);
    unsigned bits = 0;

    for (size_t i = 0; i < count; i++) {
        enum entry_traffic traffic;

        if (strcmp(words[i], "all") == 0) {
            bits = (1u << ENTRY_TRAFFIC_COUNT) - 1;
        } else if (entry_traffic_from_name(words[i], &traffic)) {
            bits |= 1u << traffic;
        }
    }
    return bits == 0 ? 1u << ENTRY_HUMAN : bits;
}

static double read_number(const cJSON *body, const char *key, double fallback)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, key);

    if (cJSON_IsString(item)) {
        return strtod(item->valuestring, NULL); /* "5", in quotes */
    }
    return cJSON_IsNumber(item) ? item->valuedouble : fallback;
}

static void read_numbers(struct rule *rule, const cJSON *body)
{
    int metric = find_word(lb_json_text(body, "metric"), metric_names, 7);

    rule->metric = metric < 0 ? RULE_CLICKS : (enum rule_metric)metric;
    rule->window_ms = read_duration(body, "window");
    rule->is_below = cJSON_GetObjectItemCaseSensitive(body, "below") != NULL;
    rule->limit = read_number(body, rule->is_below ? "below" : "above", 0);
    rule->clear = read_number(body, "clear", rule->limit);
    rule->every = (int64_t)read_number(body, "every", 1);
    rule->every *= rule->metric == RULE_VALUE ? 100 : 1;
    rule->drop = read_number(body, "drop", DROP);
    rule->min_views = (int64_t)read_number(body, "min_views", MIN_VIEWS);
    rule->min = read_number(body, "min", LEAST_SPIKE);
    if (!rule_alarms_from_text(lb_json_text(body, "false_alarms"),
                               &rule->alarms_per_month)) {
        rule->alarms_per_month = ALARMS;
    }
    rule->confidence = read_number(body, "confidence", CONFIDENCE);
    if (rule->kind == RULE_CTR) {
        rule->metric = RULE_RATE;
    }
    if (rule->kind == RULE_NOT_PULLED) {
        rule->export_name = lb_json_text(body, "export");
        rule->window_ms = read_duration(body, "after");
    }
    rule->is_below = rule->is_below || rule_is_of_silence(rule);
}

enum lb_err
rule_read(const cJSON *body, struct rule *rule_out, struct lb_error *err)
{
    struct rule *rule = rule_out;
    int kind = find_word(lb_json_text(body, "kind"), kind_names, KINDS);

    memset(rule, 0, sizeof(*rule));
    rule->id = lb_json_text(body, "id");
    if (rule->id == NULL || kind < 0) {
        return lb_err_set(err, LB_EINVAL, "rule %s has no kind of this version",
                          rule->id == NULL ? "without id" : rule->id);
    }
    rule->kind = (enum rule_kind)kind;
    rule->is_enabled =
        !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(body, "enabled"));
    rule->severity = lb_json_text(body, "severity");
    if (rule->severity == NULL) {
        rule->severity = rule_is_lasting(rule) ? "warning" : "info";
    }
    rule->traffic = read_traffic(rule, body);
    rule->site_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "sites"), rule->sites);
    read_matches(rule, cJSON_GetObjectItemCaseSensitive(body, "match"));
    read_group(rule, body);
    rule->notify_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "notify"), rule->notify);
    rule->cooldown_ms = read_duration(body, "cooldown");
    rule->for_ms = read_duration(body, "for");
    rule->digest_ms = read_duration(body, "digest");
    rule->is_resolving =
        cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "resolve"));
    rule->template = lb_json_text(body, "template");
    quiet_read(cJSON_GetObjectItemCaseSensitive(body, "quiet"), &rule->quiet);
    rule->learn_ms = read_duration(body, "learn");
    rule->again_after_ms = read_duration(body, "again_after");
    rule->max_per_day = (int64_t)read_number(
        body, "max_per_day",
        rule->kind == RULE_FIRST_SEEN ? FIRST_SEEN_PER_DAY : 0);
    if (!rule_is_of_event(rule)) {
        read_numbers(rule, body);
    }
    rule->types = find_types(rule);
    return LB_OK;
}

/* --- matching
 * -------------------------------------------------------------------- */

static const char *
prop_of(const struct entry *entry, const char *key, char *out, size_t out_bytes)
{
    const char *props = entry->text[ENTRY_TEXT_PROPS];
    const char *text = NULL;
    const cJSON *item;
    cJSON *json;

    if (props == NULL || strstr(props, key) == NULL) {
        return NULL;
    }
    json = lb_json_parse_checked(props, strlen(props), NULL);
    item = cJSON_GetObjectItemCaseSensitive(json, key);
    if (cJSON_IsString(item)) {
        (void)snprintf(out, out_bytes, "%s", item->valuestring);
        text = out;
    } else if (cJSON_IsNumber(item) || cJSON_IsBool(item)) {
        struct lb_buf value;

        lb_buf_init(&value, 64);
        lb_json_add_item(&value, item);
        (void)snprintf(out, out_bytes, "%s", lb_buf_text(&value));
        text = out;
        lb_buf_deinit(&value);
    }
    cJSON_Delete(json);
    return text;
}

/* NULL: the event has no such value. */
static const char *field_value(const struct rule_field *field,
                               const struct entry *entry,
                               const char *site,
                               const char *intent,
                               char out[VALUE_BYTES])
{
    struct lb_buf text;

    switch (field->kind) {
    case RULE_FIELD_NONE:
        return NULL;
    case RULE_FIELD_TEXT:
        return entry->text[field->text];
    case RULE_FIELD_TYPE:
        return entry_type_name(entry->type);
    case RULE_FIELD_SITE:
        return site;
    case RULE_FIELD_INTENT:
        return intent;
    case RULE_FIELD_TRAFFIC:
        return entry_traffic_name(entry->traffic);
    case RULE_FIELD_QR:
        return entry->is_qr ? "true" : "false";
    case RULE_FIELD_VISITOR:
        return rule_visitor(entry, out) ? out : NULL;
    case RULE_FIELD_VALUE:
        lb_buf_init(&text, 64);
        lb_json_add_double(&text, (double)entry->amount_hundredths / 100, 2);
        (void)snprintf(out, VALUE_BYTES, "%s", lb_buf_text(&text));
        lb_buf_deinit(&text);
        return entry->has_amount ? out : NULL;
    case RULE_FIELD_PROP:
        return prop_of(entry, field->name + strlen(PROP_PREFIX), out,
                       VALUE_BYTES);
    }
    return NULL;
}

static bool is_utm_cased(const struct rule_field *field)
{
    return field->kind == RULE_FIELD_TEXT &&
           (field->text == ENTRY_TEXT_UTM_SOURCE ||
            field->text == ENTRY_TEXT_UTM_MEDIUM ||
            field->text == ENTRY_TEXT_UTM_CAMPAIGN);
}

/* Link, name and the like belong to the click: the views of a click's share are
 * those that the rest of the match leaves, as in queries. */
static bool is_passed_over(const struct rule *rule,
                           const struct entry *entry,
                           const struct rule_field *field)
{
    if (rule->kind != RULE_CTR || entry->type != ENTRY_VIEW) {
        return false;
    }
    return field->kind == RULE_FIELD_INTENT || field->kind == RULE_FIELD_QR ||
           (field->kind == RULE_FIELD_TEXT &&
            (field->text == ENTRY_TEXT_LINK || field->text == ENTRY_TEXT_NAME));
}

bool rule_covers(const struct rule *rule, const char *site)
{
    return rule->site_count == 0 ||
           (site != NULL &&
            matches_any(rule->sites, rule->site_count, site, false));
}

bool rule_matches(const struct rule *rule,
                  const struct entry *entry,
                  const char *site,
                  const char *intent)
{
    char scratch[VALUE_BYTES];

    if (!rule->is_enabled || (rule->traffic & 1u << entry->traffic) == 0 ||
        (rule->types & 1u << entry->type) == 0) {
        return false;
    }
    for (size_t i = 0; i < rule->match_count; i++) {
        const struct rule_match *match = &rule->matches[i];
        const char *value;

        if (is_passed_over(rule, entry, &match->field)) {
            continue;
        }
        value = field_value(&match->field, entry, site, intent, scratch);
        if (value == NULL ||
            !matches_any(match->globs, match->glob_count, value,
                         rule->folds_utm && is_utm_cased(&match->field))) {
            return false;
        }
    }
    return true;
}

bool rule_needs_intent(const struct rule *rule)
{
    bool needs = false;

    for (size_t i = 0; i < rule->match_count; i++) {
        needs = needs || rule->matches[i].field.kind == RULE_FIELD_INTENT;
    }
    for (size_t i = 0; i < rule->group_count; i++) {
        needs = needs || rule->group[i].kind == RULE_FIELD_INTENT;
    }
    return needs;
}

static bool is_key(const struct rule *rule, const char *name)
{
    for (size_t i = 0; i < rule->key_count; i++) {
        if (strcmp(rule->key[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool rule_group(const struct rule *rule,
                const struct entry *entry,
                const char *site,
                const char *intent,
                struct lb_buf *out)
{
    char scratch[VALUE_BYTES];

    lb_buf_add_char(out, '{');
    for (size_t i = 0; i < rule->group_count; i++) {
        const struct rule_field *field = &rule->group[i];
        const char *value = field_value(field, entry, site, intent, scratch);

        if (value == NULL && is_key(rule, field->name)) {
            return false;
        }
        lb_json_add_key(out, field->name);
        lb_json_add_plain_string(out, value);
    }
    lb_buf_add_char(out, '}');
    return true;
}

/* --- deciding
 * -------------------------------------------------------------------- */

int64_t rule_weight(const struct rule *rule, const struct entry *entry)
{
    switch (rule->metric) {
    case RULE_VIEWS:
        return entry->type == ENTRY_VIEW;
    case RULE_CLICKS:
        return entry->type == ENTRY_CLICK && !entry->is_double_tap;
    case RULE_CLICKS_RAW:
        return entry->type == ENTRY_CLICK;
    case RULE_LEADS:
        return entry->type == ENTRY_LEAD;
    case RULE_CONVERSIONS:
        return entry->type == ENTRY_CONVERSION;
    case RULE_VISITORS:
        return entry->visitor != 0;
    case RULE_VALUE:
        return entry->has_amount ? entry->amount_hundredths : 0;
    case RULE_RATE:
        return entry->type == ENTRY_VIEW ||
               (entry->type == ENTRY_CLICK && !entry->is_double_tap);
    }
    return 0;
}

double rule_number(const struct rule *rule, int64_t value)
{
    return rule->metric == RULE_VALUE ? (double)value / 100 : (double)value;
}

enum rule_turn
rule_judge(const struct rule *rule, int64_t value, bool is_firing, bool is_full)
{
    double number = rule_number(rule, value);

    if (is_firing) {
        bool is_over =
            rule->is_below ? number >= rule->clear : number <= rule->clear;

        return is_over ? RULE_IS_OVER : RULE_STAYS;
    }
    if (rule->is_below) {
        return is_full && number < rule->limit ? RULE_FIRES : RULE_STAYS;
    }
    return number > rule->limit ? RULE_FIRES : RULE_STAYS;
}

void rule_alert_id(const char *rule,
                   const char *site,
                   const char *group,
                   const char *occasion,
                   char out[RULE_ALERT_ID_BYTES])
{
    const char *parts[] = {rule, site, group, occasion};
    uint8_t digest[LB_SECRET_SHA256_BYTES];
    SHA256_CTX ctx;

    (void)SHA256_Init(&ctx);
    for (size_t i = 0; i < 4; i++) {
        (void)SHA256_Update(&ctx, parts[i], strlen(parts[i]) + 1);
    }
    (void)SHA256_Final(digest, &ctx);
    (void)snprintf(out, RULE_ALERT_ID_BYTES, "al_");
    lb_text_to_hex(digest, 8, out + 3);
}
