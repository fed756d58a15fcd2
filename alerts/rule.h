/* rule.h - one rule: read from its configuration, matched with events, and the
 * sliding window of a threshold.  Pure: time is the log's, never the clock's.
 */
#ifndef LINKBELL_ALERTS_RULE_H
#define LINKBELL_ALERTS_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/err.h"
#include "sql/entry.h"

#define RULE_LIST 32 /* values of one list */
#define RULE_MATCHES 16
#define RULE_WINDOW_CELLS 4096

enum rule_kind { RULE_EVENT, RULE_FIRST_SEEN, RULE_THRESHOLD };
enum rule_metric {
    RULE_VIEWS,
    RULE_CLICKS,
    RULE_CLICKS_RAW,
    RULE_LEADS,
    RULE_CONVERSIONS,
    RULE_VISITORS,
    RULE_VALUE
};

struct rule_match {
    const char *field; /* "type", "intent", "utm_medium", "prop:plan" ... */
    const char *globs[RULE_LIST];
    size_t glob_count;
};

/* Points into itself (the words of numbers): never copy one by value. */
struct rule {
    int64_t number;
    const char *id;
    enum rule_kind kind;
    const char *severity;
    bool is_enabled;
    unsigned traffic;             /* bits of enum entry_traffic */
    const char *sites[RULE_LIST]; /* globs; none: all */
    size_t site_count;
    struct rule_match matches[RULE_MATCHES];
    size_t match_count;
    const char *per[RULE_LIST];
    size_t per_count;
    const char *key[RULE_LIST]; /* of first_seen */
    size_t key_count;
    const char *notify[RULE_LIST];
    size_t notify_count;
    int64_t cooldown_ms;
    int64_t max_per_day; /* 0: any number */
    int64_t learn_ms;
    int64_t again_after_ms; /* 0: never again */
    enum rule_metric metric;
    int64_t window_ms;
    double above;
    double clear;
    int64_t created_at_ms;
    char numbers[512]; /* texts of values that are numbers */
    size_t numbers_used;
};

/* Reads a rule that rule_check() found well; texts are borrowed from body. */
LB_MUST_CHECK enum lb_err
rule_read(const cJSON *body, struct rule *rule_out, struct lb_error *err);

const char *rule_kind_name(enum rule_kind kind);
const char *rule_metric_name(enum rule_metric metric);

/* Whether the rule looks at this event; site and intent may be NULL. */
bool rule_matches(const struct rule *rule,
                  const struct entry *entry,
                  const char *site,
                  const char *intent);

/* The group of an event as JSON without spaces, keys in byte order: of `per`,
 * and of `key` for first_seen.  False when a value of `key` is missing. */
bool rule_group(const struct rule *rule,
                const struct entry *entry,
                const char *site,
                struct lb_buf *out);

/* What an event adds to the rule's metric; 0: nothing. */
int64_t rule_weight(const struct rule *rule, const struct entry *entry);

/* al_ and 16 hex digits of SHA-256 over rule, site, group and occasion. */
#define RULE_ALERT_ID_BYTES 20
void rule_alert_id(const char *rule,
                   const char *site,
                   const char *group,
                   const char *occasion,
                   char out[RULE_ALERT_ID_BYTES]);

/* A sliding window: what came within window_ms. */
struct rule_cell {
    int64_t ts_ms;
    int64_t weight;
    int64_t visitor; /* of the metric visitors */
};
struct rule_window {
    struct rule_cell *cells; /* owned; by ts */
    size_t first;
    size_t count;
    size_t cap;
    int64_t sum;
};
/* Adds an event at now_ms (the entry's receive time) and lets go what is older
 * than the window; returns the metric's value.  -1: out of memory. */
int64_t rule_window_add(struct rule_window *window,
                        const struct rule *rule,
                        const struct entry *entry,
                        int64_t now_ms);
void rule_window_deinit(struct rule_window *window);

#endif
