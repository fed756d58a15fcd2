/* rule.h - one rule: read from its configuration, matched with events, its
 * groups, its ids, and whether a number makes it ring.  Pure: time is the
 * log's, never the clock's. */
#ifndef LINKBELL_ALERTS_RULE_H
#define LINKBELL_ALERTS_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "alerts/quiet.h"
#include "base/buf.h"
#include "base/err.h"
#include "sql/entry.h"

/* Past these the configuration is refused (rule_check.c). */
#define RULE_LIST 32 /* values of one list */
#define RULE_MATCHES 16

enum rule_kind {
    RULE_EVENT,
    RULE_FIRST_SEEN,
    RULE_THRESHOLD,
    RULE_BURST, /* a threshold by another name */
    RULE_MILESTONE,
    RULE_ABSENT,
    RULE_NOT_PULLED,
    RULE_CTR,
    RULE_SPIKE,
    RULE_DROP
};
enum rule_metric {
    RULE_VIEWS,
    RULE_CLICKS,
    RULE_CLICKS_RAW,
    RULE_LEADS,
    RULE_CONVERSIONS,
    RULE_VISITORS,
    RULE_VALUE,
    RULE_RATE /* of ctr alone: clicks and views */
};

/* A dimension, looked up once: "type", "intent", "utm_medium", "prop:plan". */
enum rule_field_kind {
    RULE_FIELD_NONE, /* no dimension: without a value */
    RULE_FIELD_TEXT,
    RULE_FIELD_TYPE,
    RULE_FIELD_SITE,
    RULE_FIELD_INTENT, /* of the link */
    RULE_FIELD_TRAFFIC,
    RULE_FIELD_QR,
    RULE_FIELD_VISITOR,
    RULE_FIELD_VALUE, /* the amount as a number's text: "12.5" */
    RULE_FIELD_PROP
};
struct rule_field {
    const char *name;
    enum rule_field_kind kind;
    enum entry_text text; /* of RULE_FIELD_TEXT */
};

struct rule_match {
    struct rule_field field;
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
    bool folds_utm;               /* values of utm_* are stored folded */
    unsigned traffic;             /* bits of enum entry_traffic */
    unsigned types;               /* bits of enum entry_type it can concern */
    const char *sites[RULE_LIST]; /* globs; none: all */
    size_t site_count;
    struct rule_match matches[RULE_MATCHES];
    size_t match_count;
    struct rule_field group[2 * RULE_LIST]; /* of per and key, in byte order,
                                               each once */
    size_t group_count;
    const char *key[RULE_LIST]; /* of first_seen */
    size_t key_count;
    const char *notify[RULE_LIST];
    size_t notify_count;
    int64_t cooldown_ms;
    int64_t max_per_day; /* 0: any number */
    int64_t learn_ms;
    int64_t again_after_ms; /* 0: never again */
    enum rule_metric metric;
    int64_t window_ms;       /* of not_pulled: its after */
    const char *export_name; /* of not_pulled: "events" or "stats" */
    int64_t every;           /* of milestone, in the metric's unit */
    double drop;             /* of ctr: the share that is missing */
    int64_t min_views;
    double confidence;
    double min;              /* of spike: the least value */
    double alarms_per_month; /* of spike and drop: false ones, by chance */
    int64_t for_ms;          /* it must hold so long */
    bool is_resolving;       /* tells when it is over */
    const char *template;    /* NULL: the usual words */
    struct quiet quiet;
    int64_t digest_ms; /* 0: each alert is a message */
    bool is_below;     /* rings under the limit, not above it */
    double limit;
    double clear; /* at which it is over */
    int64_t created_at_ms;
    char numbers[512]; /* texts of values that are numbers */
    size_t numbers_used;
};

/* Reads a rule that rule_check() found well; texts are borrowed from body. */
LB_MUST_CHECK enum lb_err
rule_read(const cJSON *body, struct rule *rule_out, struct lb_error *err);

/* "1/month", "0.5/week", "2/day", "6/year" as a number a month of 30 days.
 * False: it is none of those, or not between 0.001 and 100. */
bool rule_alarms_from_text(const char *text, double *per_month_out);

const char *rule_kind_name(enum rule_kind kind);
const char *rule_metric_name(enum rule_metric metric);

/* Whether it counts the events of a sliding window: threshold and burst. */
bool rule_is_windowed(const struct rule *rule);
/* Whether it looks at time as it goes by, and windows are read from the log
 * again: the windowed ones and those of silence. */
bool rule_is_timed(const struct rule *rule);
/* Whether it rings for silence, by ticks alone: absent and not_pulled. */
bool rule_is_of_silence(const struct rule *rule);
/* Whether it compares with what was usual: spike and drop. */
bool rule_is_of_baseline(const struct rule *rule);
/* Whether its windows are aligned to the site's midnight: those and ctr. */
bool rule_is_aligned(const struct rule *rule);
/* Whether what it rings for lasts, and is over at some time. */
bool rule_is_lasting(const struct rule *rule);
/* Whether it counts people since the first event: each is kept as a value that
 * was seen. */
bool rule_counts_visitors(const struct rule *rule);
/* Whether it counts the people of each of its windows: spike and drop. */
bool rule_counts_crowds(const struct rule *rule);
/* Whether its alerts are about the event that decides: event, first_seen. */
bool rule_is_of_event(const struct rule *rule);

/* Whether the rule looks at this site. */
bool rule_covers(const struct rule *rule, const char *site);
/* Whether it looks at this event of a site that it covers.  site and intent
 * (of the event's link) may be NULL. */
bool rule_matches(const struct rule *rule,
                  const struct entry *entry,
                  const char *site,
                  const char *intent);
/* Whether an event's group or match needs the intent of its link. */
bool rule_needs_intent(const struct rule *rule);

/* The group of an event as JSON without spaces, keys in byte order: of `per`,
 * and of `key` for first_seen.  False when a value of `key` is missing. */
bool rule_group(const struct rule *rule,
                const struct entry *entry,
                const char *site,
                const char *intent,
                struct lb_buf *out);

/* The event's visitor as a value: "DAY.NUMBER".  False: it has none. */
#define RULE_VISITOR_BYTES 48
bool rule_visitor(const struct entry *entry, char out[RULE_VISITOR_BYTES]);

/* What an event adds to the rule's metric (hundredths for value); 0: nothing.
 */
int64_t rule_weight(const struct rule *rule, const struct entry *entry);
/* The metric as people count it: 12.5 for 1250 hundredths. */
double rule_number(const struct rule *rule, int64_t value);

/* What the metric's value means for a group.  One that is below its limit
 * rings only when its window is full: is_full. */
enum rule_turn { RULE_STAYS, RULE_FIRES, RULE_IS_OVER };
enum rule_turn rule_judge(const struct rule *rule,
                          int64_t value,
                          bool is_firing,
                          bool is_full);

/* al_ and 16 hex digits of SHA-256 over rule, site, group and occasion. */
#define RULE_ALERT_ID_BYTES 20
void rule_alert_id(const char *rule,
                   const char *site,
                   const char *group,
                   const char *occasion,
                   char out[RULE_ALERT_ID_BYTES]);

#endif
