/* rule.c - matching events with rules, groups, ids and sliding windows. */
#include "alerts/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

static const char *const kind_names[] = {"event", "first_seen", "threshold"};
static const char *const metric_names[] = {"views", "clicks",      "clicks_raw",
                                           "leads", "conversions", "visitors",
                                           "value"};

const char *rule_kind_name(enum rule_kind kind)
{
    return kind_names[kind];
}

const char *rule_metric_name(enum rule_metric metric)
{
    return metric_names[metric];
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

static int64_t read_duration(const cJSON *body, const char *key)
{
    const char *text = lb_json_text(body, key);
    int64_t ms = 0;

    return text != NULL && lb_config_parse_duration(text, &ms) ? ms : 0;
}

static void read_matches(struct rule *rule, const cJSON *match)
{
    for (const cJSON *item = match == NULL ? NULL : match->child;
         item != NULL && rule->match_count < RULE_MATCHES; item = item->next) {
        struct rule_match *row = &rule->matches[rule->match_count++];

        row->field = item->string;
        row->glob_count = read_list(rule, item, row->globs);
    }
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
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

enum lb_err
rule_read(const cJSON *body, struct rule *rule_out, struct lb_error *err)
{
    struct rule *rule = rule_out;
    int kind = find_word(lb_json_text(body, "kind"), kind_names, 3);
    int metric = find_word(lb_json_text(body, "metric"), metric_names, 7);
    const cJSON *most = cJSON_GetObjectItemCaseSensitive(body, "max_per_day");
    const cJSON *above = cJSON_GetObjectItemCaseSensitive(body, "above");
    const cJSON *clear = cJSON_GetObjectItemCaseSensitive(body, "clear");

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
        rule->severity = rule->kind == RULE_THRESHOLD ? "warning" : "info";
    }
    rule->traffic = read_traffic(rule, body);
    rule->site_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "sites"), rule->sites);
    read_matches(rule, cJSON_GetObjectItemCaseSensitive(body, "match"));
    rule->per_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "per"), rule->per);
    rule->key_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "key"), rule->key);
    qsort(rule->per, rule->per_count, sizeof(*rule->per), compare_text);
    qsort(rule->key, rule->key_count, sizeof(*rule->key), compare_text);
    rule->notify_count = read_list(
        rule, cJSON_GetObjectItemCaseSensitive(body, "notify"), rule->notify);
    rule->cooldown_ms = read_duration(body, "cooldown");
    rule->learn_ms = read_duration(body, "learn");
    rule->again_after_ms = read_duration(body, "again_after");
    rule->window_ms = read_duration(body, "window");
    rule->max_per_day = cJSON_IsNumber(most) ? (int64_t)most->valuedouble
                        : rule->kind == RULE_FIRST_SEEN ? 100
                                                        : 0;
    rule->metric = metric < 0 ? RULE_CLICKS : (enum rule_metric)metric;
    rule->above = cJSON_IsNumber(above) ? above->valuedouble : 0;
    rule->clear = cJSON_IsNumber(clear) ? clear->valuedouble : rule->above;
    return LB_OK;
}

/* --- matching
 * -------------------------------------------------------------------- */

struct field_row {
    const char *name;
    enum entry_text text;
};

static const struct field_row field_rows[] = {
    {"link", ENTRY_TEXT_LINK},
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

static const char *field_value(const struct entry *entry,
                               const char *field,
                               const char *site,
                               const char *intent,
                               char *out,
                               size_t out_bytes)
{
    for (size_t i = 0; i < sizeof(field_rows) / sizeof(field_rows[0]); i++) {
        if (strcmp(field, field_rows[i].name) == 0) {
            return entry->text[field_rows[i].text];
        }
    }
    if (strcmp(field, "type") == 0) {
        return entry_type_name(entry->type);
    }
    if (strcmp(field, "site") == 0) {
        return site;
    }
    if (strcmp(field, "intent") == 0) {
        return intent;
    }
    if (strcmp(field, "traffic") == 0) {
        return entry_traffic_name(entry->traffic);
    }
    if (strcmp(field, "qr") == 0) {
        return entry->is_qr ? "true" : "false";
    }
    if (strcmp(field, "visitor") == 0 && entry->visitor != 0) {
        (void)snprintf(out, out_bytes, "%lld.%lld",
                       (long long)entry->visitor_day,
                       (long long)entry->visitor);
        return out;
    }
    return strncmp(field, "prop:", 5) == 0
               ? prop_of(entry, field + 5, out, out_bytes)
               : NULL;
}

static bool
matches_any(const char *const *globs, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        if (lb_text_matches_glob(globs[i], text)) {
            return true;
        }
    }
    return false;
}

bool rule_matches(const struct rule *rule,
                  const struct entry *entry,
                  const char *site,
                  const char *intent)
{
    char scratch[600];

    if (!rule->is_enabled || (rule->traffic & 1u << entry->traffic) == 0) {
        return false;
    }
    for (size_t i = 0; i < rule->match_count; i++) {
        const struct rule_match *match = &rule->matches[i];
        const char *value = field_value(entry, match->field, site, intent,
                                        scratch, sizeof(scratch));

        if (value == NULL ||
            !matches_any(match->globs, match->glob_count, value)) {
            return false;
        }
    }
    return rule->site_count == 0 ||
           (site != NULL && matches_any(rule->sites, rule->site_count, site));
}

bool rule_group(const struct rule *rule,
                const struct entry *entry,
                const char *site,
                struct lb_buf *out)
{
    const char *names[2 * RULE_LIST];
    size_t count = 0;
    char scratch[600];

    for (size_t i = 0; i < rule->key_count; i++) {
        if (field_value(entry, rule->key[i], site, NULL, scratch,
                        sizeof(scratch)) == NULL) {
            return false;
        }
        names[count++] = rule->key[i];
    }
    for (size_t i = 0; i < rule->per_count; i++) {
        names[count++] = rule->per[i];
    }
    qsort(names, count, sizeof(*names), compare_text);
    lb_buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(names[i], names[i - 1]) == 0) {
            continue;
        }
        lb_json_add_key(out, names[i]);
        lb_json_add_plain_string(out, field_value(entry, names[i], site, NULL,
                                                  scratch, sizeof(scratch)));
    }
    lb_buf_add_char(out, '}');
    return true;
}

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
    }
    return 0;
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
    memcpy(out, "al_", 3);
    lb_text_to_hex(digest, 8, out + 3);
}

/* --- windows
 * ---------------------------------------------------------------------- */

void rule_window_deinit(struct rule_window *window)
{
    free(window->cells);
    memset(window, 0, sizeof(*window));
}

static bool make_room(struct rule_window *window)
{
    size_t cap = window->cap == 0 ? 16 : window->cap * 2;
    struct rule_cell *cells;

    if (window->first > 0 && window->first >= window->cap / 2) {
        memmove(window->cells, window->cells + window->first,
                window->count * sizeof(*window->cells));
        window->first = 0;
    }
    if (window->first + window->count < window->cap) {
        return true;
    }
    cells = realloc(window->cells, cap * sizeof(*cells));
    if (cells == NULL) {
        return false;
    }
    window->cells = cells;
    window->cap = cap;
    return true;
}

static void let_go(struct rule_window *window, int64_t oldest_ms)
{
    while (window->count > 0 &&
           window->cells[window->first].ts_ms < oldest_ms) {
        window->sum -= window->cells[window->first].weight;
        window->first++;
        window->count--;
    }
}

/* The two oldest cells become one, at the later time: memory stays bounded and
 * a count of thousands loses nothing that matters. */
static void merge_oldest(struct rule_window *window)
{
    struct rule_cell *cells = window->cells + window->first;

    cells[1].weight += cells[0].weight;
    window->first++;
    window->count--;
}

/* A visitor counts once, at the latest time: takes the cell it has out and
 * returns the later one of both times. */
static int64_t
drop_visitor(struct rule_window *window, int64_t visitor, int64_t ts_ms)
{
    struct rule_cell *cells;

    if (window->count == 0)
        return ts_ms; /* no cells yet, perhaps not even an array */
    cells = window->cells + window->first;
    for (size_t i = 0; i < window->count; i++) {
        if (cells[i].visitor == visitor) {
            ts_ms = cells[i].ts_ms > ts_ms ? cells[i].ts_ms : ts_ms;
            window->sum -= cells[i].weight;
            memmove(&cells[i], &cells[i + 1],
                    (window->count - i - 1) * sizeof(*cells));
            window->count--;
            break;
        }
    }
    return ts_ms;
}

int64_t rule_window_add(struct rule_window *window,
                        const struct rule *rule,
                        const struct entry *entry,
                        int64_t now_ms)
{
    int64_t ts_ms = entry->ts_at_ms > now_ms ? now_ms : entry->ts_at_ms;
    int64_t oldest_ms = now_ms + 1 - rule->window_ms;
    struct rule_cell cell = {ts_ms, rule_weight(rule, entry), 0};
    struct rule_cell *cells;
    size_t at;

    let_go(window, oldest_ms);
    if (cell.weight == 0 || ts_ms < oldest_ms) {
        return window->sum;
    }
    if (rule->metric == RULE_VISITORS) {
        cell.visitor = entry->visitor ^ entry->visitor_day << 40;
        cell.weight = 1;
        ts_ms = drop_visitor(window, cell.visitor, ts_ms);
        cell.ts_ms = ts_ms;
    }
    if (window->count >= RULE_WINDOW_CELLS && rule->metric != RULE_VISITORS) {
        merge_oldest(window);
    }
    if (!make_room(window)) {
        return -1;
    }
    cells = window->cells + window->first;
    for (at = window->count; at > 0 && cells[at - 1].ts_ms > ts_ms; at--) {
        cells[at] = cells[at - 1];
    }
    cells[at] = cell;
    window->count++;
    window->sum += cell.weight;
    return window->sum;
}
