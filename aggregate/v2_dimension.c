/* v2_dimension.c - dimensions of the stats dialect. */
#include "aggregate/v2_dimension.h"

#include <stdio.h>
#include <string.h>

#include "aggregate/country_name.h"
#include "aggregate/dimension.h"
#include "base/clock.h"

#define NOT_SET "(not set)"
#define NONE "(none)"
#define DIRECT "Direct / None"

#define PROPS "event:props:"
#define HOUR_RANGE_MS (48 * LB_MS_PER_HOUR)
#define DAY_RANGE_MS (40 * LB_MS_PER_DAY)
#define WEEK_RANGE_MS (INT64_C(52) * 7 * LB_MS_PER_DAY)
#define SLACK_MS LB_MS_PER_HOUR /* a day of 25 hours is one */

struct row {
    const char *name;
    enum v2_dimension_kind kind;
    enum entry_text text;
    const char *empty;
};

static const struct row rows[] = {
    {"event:page", V2_DIMENSION_TEXT, ENTRY_TEXT_PAGE, "/"},
    {"event:hostname", V2_DIMENSION_TEXT, ENTRY_TEXT_HOST, NONE},
    {"event:name", V2_DIMENSION_NAME, ENTRY_TEXT_NAME, NULL},
    {"event:goal", V2_DIMENSION_GOAL, ENTRY_TEXT_NAME, NULL},
    {"event:link", V2_DIMENSION_LINK, ENTRY_TEXT_LINK, NULL},
    {"event:type", V2_DIMENSION_TYPE, ENTRY_TEXT_NAME, NULL},
    {"event:bot", V2_DIMENSION_BOT, ENTRY_TEXT_REASON, NULL},
    {"event:bot_reason", V2_DIMENSION_BOT_REASON, ENTRY_TEXT_REASON, NULL},
    {"visit:source", V2_DIMENSION_TEXT, ENTRY_TEXT_SOURCE, DIRECT},
    {"visit:referrer", V2_DIMENSION_TEXT, ENTRY_TEXT_REFERRER, DIRECT},
    {"visit:channel", V2_DIMENSION_TEXT, ENTRY_TEXT_CHANNEL, "Direct"},
    {"visit:utm_source", V2_DIMENSION_TEXT, ENTRY_TEXT_UTM_SOURCE, NOT_SET},
    {"visit:utm_medium", V2_DIMENSION_TEXT, ENTRY_TEXT_UTM_MEDIUM, NOT_SET},
    {"visit:utm_campaign", V2_DIMENSION_TEXT, ENTRY_TEXT_UTM_CAMPAIGN, NOT_SET},
    {"visit:utm_term", V2_DIMENSION_TEXT, ENTRY_TEXT_UTM_TERM, NOT_SET},
    {"visit:utm_content", V2_DIMENSION_TEXT, ENTRY_TEXT_UTM_CONTENT, NOT_SET},
    {"visit:click_id", V2_DIMENSION_TEXT, ENTRY_TEXT_CLICK_ID, NOT_SET},
    {"visit:device", V2_DIMENSION_TEXT, ENTRY_TEXT_DEVICE, NOT_SET},
    {"visit:screen", V2_DIMENSION_TEXT, ENTRY_TEXT_DEVICE, NOT_SET},
    {"visit:browser", V2_DIMENSION_TEXT, ENTRY_TEXT_BROWSER, NOT_SET},
    {"visit:browser_version", V2_DIMENSION_TEXT, ENTRY_TEXT_BROWSER_VERSION,
     NOT_SET},
    {"visit:os", V2_DIMENSION_TEXT, ENTRY_TEXT_OS, NOT_SET},
    {"visit:os_version", V2_DIMENSION_TEXT, ENTRY_TEXT_OS_VERSION, NOT_SET},
    {"visit:country", V2_DIMENSION_TEXT, ENTRY_TEXT_COUNTRY, NOT_SET},
    {"visit:country_name", V2_DIMENSION_COUNTRY_NAME, ENTRY_TEXT_COUNTRY,
     NOT_SET},
    {"visit:region", V2_DIMENSION_TEXT, ENTRY_TEXT_REGION, NOT_SET},
    {"visit:region_name", V2_DIMENSION_TEXT, ENTRY_TEXT_REGION, NOT_SET},
    {"visit:city", V2_DIMENSION_TEXT, ENTRY_TEXT_CITY, NOT_SET},
    {"visit:city_name", V2_DIMENSION_TEXT, ENTRY_TEXT_CITY, NOT_SET},
    {"visit:entry_page", V2_DIMENSION_ENTRY_PAGE, ENTRY_TEXT_PAGE, NOT_SET},
    {"visit:exit_page", V2_DIMENSION_EXIT_PAGE, ENTRY_TEXT_PAGE, NOT_SET},
    {"visit:entry_page_hostname", V2_DIMENSION_ENTRY_HOST, ENTRY_TEXT_HOST,
     NOT_SET},
    {"visit:exit_page_hostname", V2_DIMENSION_EXIT_HOST, ENTRY_TEXT_HOST,
     NOT_SET}};

static const struct {
    const char *name;
    enum lb_zone_grain grain;
} grains[] = {{"time:15m", LB_ZONE_15M},
              {"time:hour", LB_ZONE_HOUR},
              {"time:day", LB_ZONE_DAY},
              {"time:week", LB_ZONE_WEEK},
              {"time:month", LB_ZONE_MONTH}};
#define GRAINS (sizeof(grains) / sizeof(grains[0]))

static bool find_time(const char *name, struct v2_dimension *out)
{
    if (strcmp(name, "time") == 0) {
        out->kind = V2_DIMENSION_TIME_AUTO;
        return true;
    }
    for (size_t i = 0; i < GRAINS; i++) {
        if (strcmp(name, grains[i].name) == 0) {
            out->kind = V2_DIMENSION_TIME;
            out->grain = (int)grains[i].grain;
            return true;
        }
    }
    return false;
}

bool v2_dimension_find(const char *name, struct v2_dimension *dimension_out)
{
    memset(dimension_out, 0, sizeof(*dimension_out));
    dimension_out->name = name;
    dimension_out->is_event = strncmp(name, "event:", 6) == 0;
    if (strncmp(name, PROPS, strlen(PROPS)) == 0 &&
        name[strlen(PROPS)] != '\0') {
        dimension_out->kind = V2_DIMENSION_PROP;
        dimension_out->empty = NONE;
        return true;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum v2_dimension_kind kind = rows[i].kind;

        if (strcmp(name, rows[i].name) != 0) {
            continue;
        }
        dimension_out->kind = kind;
        dimension_out->text = rows[i].text;
        dimension_out->empty = rows[i].empty;
        dimension_out->is_of_click =
            kind == V2_DIMENSION_LINK || kind == V2_DIMENSION_GOAL ||
            kind == V2_DIMENSION_TYPE || kind == V2_DIMENSION_NAME;
        dimension_out->is_folded = rows[i].text == ENTRY_TEXT_UTM_SOURCE ||
                                   rows[i].text == ENTRY_TEXT_UTM_MEDIUM ||
                                   rows[i].text == ENTRY_TEXT_UTM_CAMPAIGN;
        dimension_out->needs_pages =
            kind == V2_DIMENSION_ENTRY_PAGE || kind == V2_DIMENSION_EXIT_PAGE ||
            kind == V2_DIMENSION_ENTRY_HOST || kind == V2_DIMENSION_EXIT_HOST;
        dimension_out->is_whole_visit =
            kind == V2_DIMENSION_TEXT && dimension_out->is_event;
        return true;
    }
    return find_time(name, dimension_out);
}

void v2_dimension_set_grain(struct v2_dimension *dimension,
                            int64_t from_at_ms,
                            int64_t to_at_ms)
{
    int64_t length_ms = to_at_ms - from_at_ms - SLACK_MS;
    size_t i = length_ms <= HOUR_RANGE_MS   ? 1
               : length_ms <= DAY_RANGE_MS  ? 2
               : length_ms <= WEEK_RANGE_MS ? 3
                                            : 4;

    if (dimension->kind == V2_DIMENSION_TIME_AUTO) {
        dimension->kind = V2_DIMENSION_TIME;
        dimension->grain = (int)grains[i].grain;
        dimension->name = grains[i].name;
    }
}

static const char *name_of(const struct entry *entry)
{
    const char *name = entry->text[ENTRY_TEXT_NAME];

    switch (entry->type) {
    case ENTRY_VIEW:
        return "pageview";
    case ENTRY_CLICK:
        return name == NULL ? "Outbound Link: Click" : name;
    case ENTRY_LEAD:
        return name == NULL ? "Lead" : name;
    case ENTRY_CONVERSION:
        break;
    }
    return name == NULL ? "Conversion" : name;
}

static const char *text_of(const struct v2_dimension *dimension,
                           const struct v2_event *event,
                           struct lb_buf *scratch)
{
    const struct entry *entry = event->entry;
    const struct visit_pages *pages = event->pages;

    switch (dimension->kind) {
    case V2_DIMENSION_TEXT:
    case V2_DIMENSION_LINK:
        return entry->text[dimension->text];
    case V2_DIMENSION_NAME:
        return name_of(entry);
    case V2_DIMENSION_GOAL:
        return entry->type == ENTRY_VIEW ? NULL : name_of(entry);
    case V2_DIMENSION_PROP:
        return dimension_prop(dimension->name + strlen(PROPS),
                              entry->text[ENTRY_TEXT_PROPS], scratch);
    case V2_DIMENSION_TYPE:
        return entry_type_name(entry->type);
    case V2_DIMENSION_BOT:
        return entry_traffic_name(entry->traffic);
    case V2_DIMENSION_BOT_REASON:
        return entry->text[ENTRY_TEXT_REASON];
    case V2_DIMENSION_COUNTRY_NAME:
        return entry->text[ENTRY_TEXT_COUNTRY] == NULL
                   ? NULL
                   : country_name(entry->text[ENTRY_TEXT_COUNTRY]);
    case V2_DIMENSION_ENTRY_PAGE:
        return pages == NULL ? NULL : pages->entry_page;
    case V2_DIMENSION_EXIT_PAGE:
        return pages == NULL ? NULL : pages->exit_page;
    case V2_DIMENSION_ENTRY_HOST:
        return pages == NULL ? NULL : pages->entry_host;
    case V2_DIMENSION_EXIT_HOST:
        return pages == NULL ? NULL : pages->exit_host;
    case V2_DIMENSION_TIME:
    case V2_DIMENSION_TIME_AUTO:
        break;
    }
    return NULL;
}

const char *v2_dimension_value(const struct v2_dimension *dimension,
                               const struct v2_event *event,
                               struct lb_buf *scratch)
{
    const char *text = text_of(dimension, event, scratch);

    return text == NULL ? dimension->empty : text;
}

void v2_dimension_label(const struct v2_dimension *dimension,
                        const struct v2_dimension_span *span,
                        int64_t at_ms,
                        char out[V2_DIMENSION_LABEL_BYTES])
{
    enum lb_zone_grain grain = (enum lb_zone_grain)dimension->grain;
    char text[LB_ZONE_TEXT_BYTES];

    if (grain == LB_ZONE_15M || grain == LB_ZONE_HOUR) {
        lb_zone_format(span->zone,
                       lb_zone_bucket_start_ms(span->zone, grain, at_ms), text);
        (void)snprintf(out, V2_DIMENSION_LABEL_BYTES, "%.10s %.8s", text,
                       text + 11);
    } else {
        int64_t first = lb_zone_local_day(span->zone, span->from_at_ms);
        int64_t day =
            lb_zone_day_floor(grain, lb_zone_local_day(span->zone, at_ms));

        lb_zone_format_day(grain == LB_ZONE_WEEK && day < first ? first : day,
                           out);
    }
}
