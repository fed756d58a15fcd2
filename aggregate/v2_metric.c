/* v2_metric.c - metrics of the stats dialect. */
#include "aggregate/v2_metric.h"

#include <math.h>
#include <string.h>

#include "aggregate/v2_text.h"
#include "base/clock.h"
#include "base/json.h"

enum form {
    FORM_WHOLE = 0,
    FORM_PERCENT = 1, /* digits after the point, from here on */
    FORM_HUNDREDTHS = 2,
    FORM_RATE = 4,
    FORM_MONEY
};

static const struct {
    const char *name;
    enum form form;
    enum v2_metric_need need;
} metrics[V2_METRIC_COUNT] = {
    [V2_METRIC_VISITORS] = {"visitors", FORM_WHOLE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_VISITS] = {"visits", FORM_WHOLE, V2_METRIC_NEEDS_NUMBERS},
    [V2_METRIC_PAGEVIEWS] = {"pageviews", FORM_WHOLE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_EVENTS] = {"events", FORM_WHOLE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_VIEWS_PER_VISIT] = {"views_per_visit", FORM_HUNDREDTHS,
                                   V2_METRIC_NEEDS_NUMBERS},
    [V2_METRIC_BOUNCE_RATE] = {"bounce_rate", FORM_WHOLE,
                               V2_METRIC_NEEDS_VISITS},
    [V2_METRIC_VISIT_DURATION] = {"visit_duration", FORM_WHOLE,
                                  V2_METRIC_NEEDS_VISITS},
    [V2_METRIC_PERCENTAGE] = {"percentage", FORM_PERCENT,
                              V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_CONVERSION_RATE] = {"conversion_rate", FORM_PERCENT,
                                   V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_GROUP_CONVERSION_RATE] = {"group_conversion_rate", FORM_PERCENT,
                                         V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_SCROLL_DEPTH] = {"scroll_depth", FORM_WHOLE,
                                V2_METRIC_NEEDS_NUMBERS},
    [V2_METRIC_TIME_ON_PAGE] = {"time_on_page", FORM_WHOLE,
                                V2_METRIC_NEEDS_NUMBERS},
    [V2_METRIC_TOTAL_REVENUE] = {"total_revenue", FORM_MONEY,
                                 V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_AVERAGE_REVENUE] = {"average_revenue", FORM_MONEY,
                                   V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_CLICKS] = {"clicks", FORM_WHOLE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_LEADS] = {"leads", FORM_WHOLE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_CONVERSIONS] = {"conversions", FORM_WHOLE,
                               V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_CLICKS_RAW] = {"clicks_raw", FORM_WHOLE,
                              V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_ORPHAN_CLICKS] = {"orphan_clicks", FORM_WHOLE,
                                 V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_CLICKERS] = {"clickers", FORM_WHOLE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_CTR] = {"ctr", FORM_RATE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_VISITOR_CTR] = {"visitor_ctr", FORM_RATE,
                               V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_LINK_CTR] = {"link_ctr", FORM_RATE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_LEAD_RATE] = {"lead_rate", FORM_RATE, V2_METRIC_NEEDS_NOTHING},
    [V2_METRIC_VALUE] = {"value", FORM_MONEY, V2_METRIC_NEEDS_NOTHING}};

bool v2_metric_find(const char *name, enum v2_metric *metric_out)
{
    name = strcmp(name, "views") == 0        ? "pageviews"
           : strcmp(name, "ctr_unique") == 0 ? "visitor_ctr"
                                             : name;
    for (int i = 0; i < V2_METRIC_COUNT; i++) {
        if (strcmp(name, metrics[i].name) == 0) {
            *metric_out = (enum v2_metric)i;
            return true;
        }
    }
    return false;
}

enum v2_metric_need v2_metric_need(enum v2_metric metric)
{
    return metrics[metric].need;
}

static struct v2_value whole(int64_t number)
{
    return (struct v2_value){.number = (double)number};
}

/* scale * hits / n; without n null, or 0. */
static struct v2_value
ratio(double scale, int64_t hits, int64_t n, bool is_null_without)
{
    if (n == 0) {
        return (struct v2_value){.is_null = is_null_without};
    }
    return (struct v2_value){.number = scale * (double)hits / (double)n};
}

static struct v2_value
money(int64_t hundredths, int64_t count, const char *currency)
{
    struct v2_value value = {.is_null = currency[0] == '\0' ||
                                        currency[0] == '*' || count == 0};

    if (!value.is_null) {
        value.number = (double)hundredths / (double)count / 100;
        memcpy(value.currency, currency, sizeof(value.currency));
    }
    return value;
}

static struct v2_value count_of(enum v2_metric metric,
                                const struct tally_group *group)
{
    switch ((int)metric) {
    case V2_METRIC_VISITORS:
        return whole(group->visitors);
    case V2_METRIC_VISITS:
        return whole(group->visits);
    case V2_METRIC_PAGEVIEWS:
        return whole(group->counts.views);
    case V2_METRIC_EVENTS:
        return whole(group->counts.events);
    case V2_METRIC_CLICKS:
        return whole(group->counts.clicks);
    case V2_METRIC_LEADS:
        return whole(group->counts.leads);
    case V2_METRIC_CONVERSIONS:
        return whole(group->counts.conversions);
    case V2_METRIC_CLICKS_RAW:
        return whole(group->counts.clicks_raw);
    case V2_METRIC_ORPHAN_CLICKS:
        return whole(group->counts.orphan_clicks);
    default:
        return whole(group->clickers);
    }
}

struct v2_value v2_metric_value(enum v2_metric metric,
                                const struct v2_figures *figures)
{
    const struct tally_group *own = &figures->own;

    switch ((int)metric) {
    case V2_METRIC_VIEWS_PER_VISIT:
        return ratio(1, own->counts.views, own->visits, false);
    case V2_METRIC_BOUNCE_RATE:
        return ratio(100, own->bounces, own->visits, false);
    case V2_METRIC_VISIT_DURATION:
        return ratio(1.0 / LB_MS_PER_S, own->visit_ms, own->visits, false);
    case V2_METRIC_PERCENTAGE:
        return ratio(100, own->visitors, figures->query_visitors, true);
    case V2_METRIC_CONVERSION_RATE:
        return ratio(100, own->visitors, figures->without_goal, false);
    case V2_METRIC_GROUP_CONVERSION_RATE:
        return ratio(100, own->visitors, figures->group_visitors, false);
    case V2_METRIC_SCROLL_DEPTH:
        return ratio(1, figures->depth_sum, figures->depth_visitors, true);
    case V2_METRIC_TIME_ON_PAGE:
        return ratio(1.0 / LB_MS_PER_S, figures->attention_ms,
                     figures->has_attention ? figures->attention_visits : 0,
                     true);
    case V2_METRIC_TOTAL_REVENUE:
        return money(figures->goals.amount_hundredths, 1,
                     figures->goals.currency);
    case V2_METRIC_AVERAGE_REVENUE:
        return money(figures->goals.amount_hundredths,
                     figures->goals.counts.events, figures->goals.currency);
    case V2_METRIC_CTR:
        return ratio(1, own->counts.clicks, figures->views, true);
    case V2_METRIC_VISITOR_CTR:
        return ratio(1, own->viewers_clicked, figures->viewers, true);
    case V2_METRIC_LINK_CTR:
        return ratio(1, own->counts.clicks, figures->exposures, true);
    case V2_METRIC_LEAD_RATE:
        return ratio(1, own->counts.leads, figures->views, true);
    case V2_METRIC_VALUE:
        return money(own->amount_hundredths, 1, own->currency);
    default:
        return count_of(metric, own);
    }
}

void v2_metric_add(struct lb_buf *buf,
                   enum v2_metric metric,
                   const struct v2_value *value)
{
    enum form form = metrics[metric].form;

    if (value->is_null) {
        lb_buf_add_text(buf, "null");
    } else if (form == FORM_MONEY) {
        v2_text_add_money(buf, value->number, value->currency);
    } else if (form == FORM_WHOLE) {
        lb_json_add_double(buf, round(value->number), 0);
    } else {
        v2_text_add_float(buf, value->number, (int)form);
    }
}
