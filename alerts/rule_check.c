/* rule_check.c - the faults of rules in a configuration file. */
#include "alerts/rule_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/rule.h"
#include "alerts/rule_common.h"
#include "alerts/rule_window.h"
#include "base/clock.h"

#define MOST_EVERY 1e12
#define LEAST_CTR_MIN 15
#define LEAST_SPIKE_MIN 5
#define MOST_ALIGNED_MS (28 * LB_MS_PER_DAY)

static const char *const common_keys[] = {
    "id",          "kind",     "match",   "per",      "sites",  "cooldown",
    "max_per_day", "severity", "enabled", "traffic",  "notify", "for",
    "resolve",     "quiet",    "digest",  "template", NULL};
static const char *const first_seen_keys[] = {"key", "learn", "again_after",
                                              NULL};
static const char *const threshold_keys[] = {"metric", "window", "above",
                                             "below",  "clear",  NULL};
static const char *const milestone_keys[] = {"metric", "every", NULL};
static const char *const absent_keys[] = {"metric", "window", NULL};
static const char *const not_pulled_keys[] = {"export", "after", NULL};
static const char *const ctr_keys[] = {"window", "drop", "min_views",
                                       "confidence", NULL};
static const char *const exports[] = {"events", "stats", NULL};
static const char *const spike_keys[] = {"metric", "window", "min",
                                         "false_alarms", NULL};
static const char *const later_keys[] = {"coverage", NULL}; /* not yet */
static const char *const kinds[] = {
    "event",      "first_seen", "threshold", "burst", "milestone", "absent",
    "not_pulled", "ctr",        "spike",     "drop",  NULL};
#define KIND_WORDS                                                             \
    "event, first_seen, threshold, burst, milestone, absent, not_pulled, "     \
    "ctr, spike or drop"
static const char *const metrics[] = {"views", "clicks",      "clicks_raw",
                                      "leads", "conversions", "visitors",
                                      "value", NULL};
static const char *const match_keys[] = {
    "type",     "link",        "page",       "host",       "source",
    "channel",  "referrer",    "utm_source", "utm_medium", "utm_campaign",
    "utm_term", "utm_content", "country",    "region",     "city",
    "device",   "browser",     "os",         "name",       "reason",
    "click_id", "traffic",     "qr",         "site",       "intent",
    "visitor",  "value",       NULL};
static const char *const severities[] = {"info", "warning", "critical", NULL};
static const char *const traffics[] = {"human", "preview", "prefetch",
                                       "bot",   "all",     NULL};

static bool is_in(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

/* A word that stands in node, or is its key, and is none of words. */
static void fault_near(struct lb_config_faults *faults,
                       const struct lb_yaml *node,
                       bool is_key,
                       const char *key,
                       const char *what,
                       const char *const *words)
{
    unsigned line = is_key ? node->key_line : node->line;
    unsigned column = is_key ? node->key_column : node->column;
    const char *text = node->kind == LB_YAML_SCALAR ? node->text : "";
    const char *word = is_key ? node->key : text;
    const char *near = lb_yaml_suggest(word, words);

    if (near != NULL) {
        lb_config_fault(faults, line, column, key,
                        "\"%.40s\" %s; did you mean %s?", word, what, near);
    } else {
        lb_config_fault(faults, line, column, key, "\"%.40s\" %s", word, what);
    }
}

static void check_one(const struct lb_yaml *node,
                      const char *key,
                      const char *const *words,
                      struct lb_config_faults *faults)
{
    if (node->kind != LB_YAML_SCALAR || !is_in(node->text, words)) {
        fault_near(faults, node, false, key, "is not one of those it may be",
                   words);
    }
}

static void check_word(const struct lb_yaml *map,
                       const char *key,
                       const char *const *words,
                       struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);

    if (node != NULL) {
        check_one(node, key, words, faults);
    }
}

/* One or a list of them. */
static void check_words(const struct lb_yaml *map,
                        const char *key,
                        const char *const *words,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);

    if (node == NULL || node->kind != LB_YAML_LIST) {
        check_word(map, key, words, faults);
        return;
    }
    for (const struct lb_yaml *item = node->child; item != NULL;
         item = item->next) {
        check_one(item, key, words, faults);
    }
}

static void check_duration(const struct lb_yaml *map,
                           const char *key,
                           bool is_needed,
                           struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);
    int64_t ms;

    if (node == NULL) {
        if (is_needed) {
            lb_config_fault(faults, map->line, map->column, key,
                            "is missing; a duration such as 5m");
        }
    } else if (node->kind != LB_YAML_SCALAR ||
               !lb_config_parse_duration(node->text, &ms) ||
               (is_needed && ms == 0)) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be a duration such as 30s, 15m or 1d");
    }
}

static void check_number(const struct lb_yaml *map,
                         const char *key,
                         struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);
    char *end = NULL;

    if (node != NULL &&
        (node->kind != LB_YAML_SCALAR || node->text[0] == '\0' ||
         node->text[strspn(node->text, "0123456789.eE+-")] != '\0' ||
         strtod(node->text, &end) < 0 || *end != '\0' ||
         !isfinite(strtod(node->text, NULL)))) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be a number, 0 or more");
    }
}

static void check_length(const struct lb_yaml *list,
                         const char *key,
                         size_t most,
                         struct lb_config_faults *faults)
{
    size_t count = 0;

    if (list != NULL && list->kind != LB_YAML_SCALAR) {
        for (const struct lb_yaml *item = list->child; item != NULL;
             item = item->next) {
            count++;
        }
    }
    if (count > most) {
        lb_config_fault(faults, list->line, list->column, key,
                        "holds %zu entries; %zu is the most", count, most);
    }
}

/* Names of dimensions, in a list or alone. */
static void check_fields(const struct lb_yaml *map,
                         const char *key,
                         struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(map, key);
    const struct lb_yaml *item = node == NULL                 ? NULL
                                 : node->kind == LB_YAML_LIST ? node->child
                                                              : node;

    check_length(node, key, RULE_LIST, faults);
    for (; item != NULL;
         item = node->kind == LB_YAML_LIST ? item->next : NULL) {
        if (item->kind != LB_YAML_SCALAR ||
            (!is_in(item->text, match_keys) &&
             strncmp(item->text, "prop:", 5) != 0)) {
            fault_near(faults, item, false, key, "is no dimension", match_keys);
        }
    }
}

static void check_match(const struct lb_yaml *rule,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *match = lb_yaml_find(rule, "match");

    if (match == NULL) {
        return;
    }
    if (match->kind != LB_YAML_MAP) {
        lb_config_fault(
            faults, match->line, match->column, "match",
            "must hold dimensions and values, such as { type: lead }");
        return;
    }
    check_length(match, "match", RULE_MATCHES, faults);
    for (const struct lb_yaml *node = match->child; node != NULL;
         node = node->next) {
        check_length(node, node->key, RULE_LIST, faults);
        if (!is_in(node->key, match_keys) &&
            strncmp(node->key, "prop:", 5) != 0) {
            fault_near(faults, node, true, "match", "is no dimension",
                       match_keys);
        }
        if (node->kind == LB_YAML_MAP) {
            lb_config_fault(faults, node->line, node->column, node->key,
                            "must be a value or a list of values");
        }
    }
}

static bool
is_defined(const struct lb_yaml *root, const char *section, const char *id)
{
    const struct lb_yaml *list = lb_yaml_find(root, section);

    for (const struct lb_yaml *item = list == NULL ? NULL : list->child;
         item != NULL; item = item->next) {
        const struct lb_yaml *name = lb_yaml_find(item, "id");

        if (name != NULL && name->text != NULL && strcmp(name->text, id) == 0) {
            return true;
        }
    }
    return false;
}

static void check_notify(const struct lb_yaml *rule,
                         const struct lb_yaml *root,
                         struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(rule, "notify");
    const struct lb_yaml *item = node == NULL                 ? NULL
                                 : node->kind == LB_YAML_LIST ? node->child
                                                              : node;

    for (; item != NULL;
         item = node->kind == LB_YAML_LIST ? item->next : NULL) {
        if (item->kind != LB_YAML_SCALAR ||
            !is_defined(root, "destinations", item->text)) {
            lb_config_fault(
                faults, item->line, item->column, "notify",
                "there is no destination \"%.40s\"; add it under destinations:",
                item->kind == LB_YAML_SCALAR ? item->text : "");
        }
    }
}

static void check_keys(const struct lb_yaml *map,
                       const char *const *keys,
                       const char *const *more,
                       const char *what,
                       struct lb_config_faults *faults)
{
    for (const struct lb_yaml *node = map->child; node != NULL;
         node = node->next) {
        if (is_in(node->key, keys) ||
            (more != NULL && is_in(node->key, more))) {
            continue;
        }
        if (is_in(node->key, later_keys)) {
            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            "is not in this version of linkbell; leave it out");
        } else {
            const char *near =
                lb_yaml_suggest(node->key, more == NULL ? keys : more);

            near = near == NULL ? lb_yaml_suggest(node->key, keys) : near;
            lb_config_fault(faults, node->key_line, node->key_column, node->key,
                            near == NULL ? "is no key of %s"
                                         : "is no key of %s; did you mean %s?",
                            what, near == NULL ? "" : near);
        }
    }
}

static double number_of(const struct lb_yaml *node)
{
    return node != NULL && node->kind == LB_YAML_SCALAR
               ? strtod(node->text, NULL)
               : 0;
}

/* It is over at the limit or beyond, on the other side. */
static void check_clear(const struct lb_yaml *rule,
                        const struct lb_yaml *above,
                        const struct lb_yaml *below,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *clear = lb_yaml_find(rule, "clear");

    if (clear == NULL) {
        return;
    }
    if (above != NULL && number_of(clear) > number_of(above)) {
        lb_config_fault(faults, clear->line, clear->column, "clear",
                        "must not be more than above");
    }
    if (below != NULL && number_of(clear) < number_of(below)) {
        lb_config_fault(faults, clear->line, clear->column, "clear",
                        "must not be less than below");
    }
}

/* Distinct visitors of a window are counted up to a number. */
static void check_visitors(const struct lb_yaml *rule,
                           const char *key,
                           struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(rule, key);
    const struct lb_yaml *metric = lb_yaml_find(rule, "metric");

    if (metric != NULL && metric->kind == LB_YAML_SCALAR &&
        strcmp(metric->text, "visitors") == 0 &&
        number_of(node) >= RULE_WINDOW_VISITORS) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be less than %d visitors", RULE_WINDOW_VISITORS);
    }
}

static void check_limits(const struct lb_yaml *rule,
                         struct lb_config_faults *faults)
{
    static const char *const keys[] = {"above", "below", "clear"};
    const struct lb_yaml *above = lb_yaml_find(rule, "above");
    const struct lb_yaml *below = lb_yaml_find(rule, "below");

    if (above == NULL && below == NULL) {
        lb_config_fault(faults, rule->line, rule->column, "above",
                        "is missing: a number; or below");
    }
    if (above != NULL && below != NULL) {
        lb_config_fault(faults, below->key_line, below->key_column, "below",
                        "stands beside above; a rule has one of them");
    }
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        check_number(rule, keys[i], faults);
        check_visitors(rule, keys[i], faults);
    }
    check_clear(rule, above, below, faults);
    if (below != NULL && number_of(below) == 0) {
        lb_config_fault(faults, below->line, below->column, "below",
                        "must be more than 0: nothing is less than that");
    }
}

static void check_metric(const struct lb_yaml *rule,
                         struct lb_config_faults *faults)
{
    check_word(rule, "metric", metrics, faults);
    if (lb_yaml_find(rule, "metric") == NULL) {
        lb_config_fault(faults, rule->line, rule->column, "metric",
                        "is missing: views, clicks, clicks_raw, leads, "
                        "conversions, visitors or value");
    }
}

static void check_first_seen(const struct lb_yaml *rule,
                             struct lb_config_faults *faults)
{
    check_duration(rule, "learn", false, faults);
    check_duration(rule, "again_after", false, faults);
    check_fields(rule, "key", faults);
    if (lb_yaml_find(rule, "key") == NULL) {
        lb_config_fault(faults, rule->line, rule->column, "key",
                        "is missing: the dimensions whose values are new, "
                        "such as [utm_campaign]");
    }
}

static void check_milestone(const struct lb_yaml *rule,
                            struct lb_config_faults *faults)
{
    const struct lb_yaml *metric = lb_yaml_find(rule, "metric");
    const struct lb_yaml *every = lb_yaml_find(rule, "every");
    const struct lb_yaml *per = lb_yaml_find(rule, "per");
    double number = number_of(every);

    check_metric(rule, faults);
    if (metric != NULL && per != NULL && metric->kind == LB_YAML_SCALAR &&
        strcmp(metric->text, "visitors") == 0) {
        lb_config_fault(faults, per->key_line, per->key_column, "per",
                        "can't be had with visitors: they are counted by site");
    }
    if (every == NULL) {
        lb_config_fault(faults, rule->line, rule->column, "every",
                        "is missing: a whole number such as 100");
    } else if (number < 1 || number > MOST_EVERY || number != floor(number)) {
        lb_config_fault(faults, every->line, every->column, "every",
                        "must be a whole number from 1 to 1000000000000");
    }
}

static void check_not_pulled(const struct lb_yaml *rule,
                             struct lb_config_faults *faults)
{
    static const char *const senseless[] = {"match", "per", "traffic"};

    check_word(rule, "export", exports, faults);
    if (lb_yaml_find(rule, "export") == NULL) {
        lb_config_fault(faults, rule->line, rule->column, "export",
                        "is missing: events or stats");
    }
    check_duration(rule, "after", true, faults);
    for (size_t i = 0; i < sizeof(senseless) / sizeof(senseless[0]); i++) {
        const struct lb_yaml *node = lb_yaml_find(rule, senseless[i]);

        if (node != NULL) {
            lb_config_fault(faults, node->key_line, node->key_column,
                            senseless[i],
                            "says nothing about pulls; leave it out");
        }
    }
}

static void check_between(const struct lb_yaml *rule,
                          const char *key,
                          double least,
                          double most,
                          struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(rule, key);
    double number = number_of(node);

    check_number(rule, key, faults);
    if (node != NULL && (number < least || number > most)) {
        lb_config_fault(faults, node->line, node->column, key,
                        "must be a number from %g to %g", least, most);
    }
}

/* Dimensions by which views and clicks can't be told apart alike. */
static void check_ctr_field(const struct lb_yaml *node,
                            const char *key,
                            const char *name,
                            struct lb_config_faults *faults)
{
    static const char *const of_clicks[] = {"link",   "name", "qr",
                                            "intent", "type", NULL};
    bool is_match = strcmp(key, "match") == 0;

    if (strcmp(name, is_match ? "type" : "visitor") == 0 ||
        (!is_match && is_in(name, of_clicks))) {
        lb_config_fault(faults, node->line, node->column, key,
                        "%.40s has no share of clicks in views; %s", name,
                        is_match ? "leave it out"
                                 : "make a rule with match for each");
    }
}

/* A window that can begin at midnight. */
static void check_aligned(const struct lb_yaml *rule,
                          int least_min,
                          struct lb_config_faults *faults)
{
    const struct lb_yaml *window = lb_yaml_find(rule, "window");
    int64_t ms = 0;

    check_duration(rule, "window", true, faults);
    if (window != NULL && window->kind == LB_YAML_SCALAR &&
        lb_config_parse_duration(window->text, &ms) &&
        (ms < least_min * LB_MS_PER_MIN || ms > MOST_ALIGNED_MS ||
         (ms < LB_MS_PER_DAY ? LB_MS_PER_DAY % ms : ms % LB_MS_PER_DAY) != 0)) {
        lb_config_fault(faults, window->line, window->column, "window",
                        "must be a part of a day such as 1h, %dm at least, or "
                        "days, 28d at most",
                        least_min);
    }
}

static void check_spike(const struct lb_yaml *rule,
                        struct lb_config_faults *faults)
{
    const struct lb_yaml *budget = lb_yaml_find(rule, "false_alarms");
    double per_month;

    check_metric(rule, faults);
    check_aligned(rule, LEAST_SPIKE_MIN, faults);
    check_between(rule, "min", 1, 1e12, faults);
    if (budget != NULL && (budget->kind != LB_YAML_SCALAR ||
                           !rule_alarms_from_text(budget->text, &per_month))) {
        lb_config_fault(faults, budget->line, budget->column, "false_alarms",
                        "must be a number a time, such as 1/month, 1/week or "
                        "2/day; from 0.001 to 100 a month");
    }
}

static void check_ctr(const struct lb_yaml *rule,
                      struct lb_config_faults *faults)
{
    const struct lb_yaml *match = lb_yaml_find(rule, "match");
    const struct lb_yaml *per = lb_yaml_find(rule, "per");

    check_aligned(rule, LEAST_CTR_MIN, faults);
    check_between(rule, "drop", 0.01, 1, faults);
    check_between(rule, "min_views", 1, 1e9, faults);
    check_between(rule, "confidence", 0.5, 0.999999, faults);
    for (const struct lb_yaml *node = match == NULL ? NULL : match->child;
         node != NULL; node = node->next) {
        check_ctr_field(node, "match", node->key == NULL ? "" : node->key,
                        faults);
    }
    if (per != NULL && per->kind == LB_YAML_SCALAR) {
        check_ctr_field(per, "per", per->text, faults);
    }
    for (const struct lb_yaml *node =
             per == NULL || per->kind != LB_YAML_LIST ? NULL : per->child;
         node != NULL; node = node->next) {
        check_ctr_field(node, "per",
                        node->kind == LB_YAML_SCALAR ? node->text : "", faults);
    }
}

/* The keys that the kind has besides the common ones. */
static const char *const *check_kind(const struct lb_yaml *rule,
                                     const char *kind,
                                     struct lb_config_faults *faults)
{
    if (strcmp(kind, "first_seen") == 0) {
        check_first_seen(rule, faults);
        return first_seen_keys;
    }
    if (strcmp(kind, "threshold") == 0 || strcmp(kind, "burst") == 0) {
        check_metric(rule, faults);
        check_duration(rule, "window", true, faults);
        check_limits(rule, faults);
        return threshold_keys;
    }
    if (strcmp(kind, "milestone") == 0) {
        check_milestone(rule, faults);
        return milestone_keys;
    }
    if (strcmp(kind, "absent") == 0) {
        check_metric(rule, faults);
        check_duration(rule, "window", true, faults);
        return absent_keys;
    }
    if (strcmp(kind, "spike") == 0 || strcmp(kind, "drop") == 0) {
        check_spike(rule, faults);
        return spike_keys;
    }
    if (strcmp(kind, "ctr") == 0) {
        check_ctr(rule, faults);
        return ctr_keys;
    }
    if (strcmp(kind, "not_pulled") == 0) {
        check_not_pulled(rule, faults);
        return not_pulled_keys;
    }
    return NULL;
}

void rule_check(const struct lb_yaml *rule,
                const struct lb_yaml *root,
                struct lb_config_faults *faults)
{
    const struct lb_yaml *kind = lb_yaml_find(rule, "kind");
    const char *const *more = NULL;

    if (kind == NULL || kind->kind != LB_YAML_SCALAR) {
        lb_config_fault(faults, rule->line, rule->column, "kind",
                        "is missing: " KIND_WORDS);
        return;
    }
    check_word(rule, "kind", kinds, faults);
    more = check_kind(rule, kind->text, faults);
    check_keys(rule, common_keys, more, "this kind of rule", faults);
    check_duration(rule, "cooldown", false, faults);
    rule_common_check(rule, kind->text, faults);
    check_number(rule, "max_per_day", faults);
    check_word(rule, "severity", severities, faults);
    check_words(rule, "traffic", traffics, faults);
    check_fields(rule, "per", faults);
    check_length(lb_yaml_find(rule, "sites"), "sites", RULE_LIST, faults);
    check_length(lb_yaml_find(rule, "notify"), "notify", RULE_LIST, faults);
    check_match(rule, faults);
    check_notify(rule, root, faults);
}

bool rule_check_begins_anew(const cJSON *before, const cJSON *after)
{
    static const char *const keys[] = {"kind", "match", "metric",
                                       "per",  "key",   "window"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const cJSON *a = cJSON_GetObjectItemCaseSensitive(before, keys[i]);
        const cJSON *b = cJSON_GetObjectItemCaseSensitive(after, keys[i]);

        if ((a == NULL) != (b == NULL) ||
            (a != NULL && !cJSON_Compare(a, b, true))) {
            return true;
        }
    }
    return false;
}
