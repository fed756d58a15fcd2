/* dimension.c - what an event can be broken down or filtered by. */
#include "aggregate/dimension.h"

#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/zone.h"

struct text_row {
    const char *name;
    enum entry_text text;
};

static const struct text_row text_rows[] = {
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
#define TEXT_ROWS (sizeof(text_rows) / sizeof(text_rows[0]))

static const char *const all_names[] = {
    "link",        "page",       "host",       "source",       "channel",
    "referrer",    "utm_source", "utm_medium", "utm_campaign", "utm_term",
    "utm_content", "country",    "region",     "city",         "device",
    "browser",     "os",         "name",       "reason",       "click_id",
    "type",        "traffic",    "qr",         "site",         "prop:KEY",
    "time:15m",    "time:hour",  "time:day",   "time:week",    "time:month",
    NULL};

const char *const *dimension_names(void)
{
    return all_names;
}

static bool find_time(const char *name, struct dimension *out)
{
    static const struct {
        const char *name;
        enum lb_zone_grain grain;
    } grains[] = {{"time:15m", LB_ZONE_15M},
                  {"time:hour", LB_ZONE_HOUR},
                  {"time:day", LB_ZONE_DAY},
                  {"time:week", LB_ZONE_WEEK},
                  {"time:month", LB_ZONE_MONTH}};

    for (size_t i = 0; i < sizeof(grains) / sizeof(grains[0]); i++) {
        if (strcmp(name, grains[i].name) == 0) {
            out->kind = DIMENSION_TIME;
            out->grain = (int)grains[i].grain;
            return true;
        }
    }
    return false;
}

static bool find_special(const char *name, struct dimension *out)
{
    static const struct {
        const char *name;
        enum dimension_kind kind;
        bool is_of_click;
    } rows[] = {{"type", DIMENSION_TYPE, true},
                {"traffic", DIMENSION_TRAFFIC, false},
                {"qr", DIMENSION_QR, true},
                {"site", DIMENSION_SITE, false}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(name, rows[i].name) == 0) {
            out->kind = rows[i].kind;
            out->is_of_click = rows[i].is_of_click;
            return true;
        }
    }
    return false;
}

bool dimension_find(const char *name,
                    bool is_time_taken,
                    struct dimension *dimension_out)
{
    memset(dimension_out, 0, sizeof(*dimension_out));
    if (strlen(name) >= sizeof(dimension_out->name)) {
        return false;
    }
    (void)snprintf(dimension_out->name, sizeof(dimension_out->name), "%s",
                   name);
    if (strncmp(name, "prop:", 5) == 0 && name[5] != '\0') {
        dimension_out->kind = DIMENSION_PROP;
        return true;
    }
    if ((is_time_taken && find_time(name, dimension_out)) ||
        find_special(name, dimension_out)) {
        return true;
    }
    for (size_t i = 0; i < TEXT_ROWS; i++) {
        if (strcmp(name, text_rows[i].name) == 0) {
            enum entry_text text = text_rows[i].text;

            dimension_out->kind = DIMENSION_TEXT;
            dimension_out->text = text;
            dimension_out->is_of_click =
                text == ENTRY_TEXT_LINK || text == ENTRY_TEXT_NAME;
            dimension_out->is_folded = text == ENTRY_TEXT_UTM_SOURCE ||
                                       text == ENTRY_TEXT_UTM_MEDIUM ||
                                       text == ENTRY_TEXT_UTM_CAMPAIGN;
            return true;
        }
    }
    return false;
}

const char *
dimension_prop(const char *key, const char *props, struct lb_buf *scratch)
{
    const char *value = NULL;
    const cJSON *item;
    cJSON *json;

    /* Most events lack the key; one that JSON may escape is looked up. */
    if (props == NULL ||
        (strpbrk(key, "\"\\/<>&") == NULL && strchr(props, '\\') == NULL &&
         strstr(props, key) == NULL)) {
        return NULL;
    }
    json = lb_json_parse_checked(props, strlen(props), NULL);
    item = cJSON_GetObjectItemCaseSensitive(json, key);
    if (item != NULL) {
        lb_buf_clear(scratch);
        if (cJSON_IsString(item)) {
            lb_buf_add_text(scratch, item->valuestring);
        } else {
            lb_json_add_item(scratch, item);
        }
        value = lb_buf_text(scratch);
    }
    cJSON_Delete(json);
    return value;
}

const char *dimension_value(const struct dimension *dimension,
                            const struct entry *entry,
                            const char *site,
                            struct lb_buf *scratch)
{
    switch (dimension->kind) {
    case DIMENSION_TEXT:
        return entry->text[dimension->text];
    case DIMENSION_TYPE:
        return entry_type_name(entry->type);
    case DIMENSION_TRAFFIC:
        return entry_traffic_name(entry->traffic);
    case DIMENSION_QR:
        return entry->is_qr ? "true" : "false";
    case DIMENSION_SITE:
        return site;
    case DIMENSION_PROP:
        return dimension_prop(dimension->name + 5,
                              entry->text[ENTRY_TEXT_PROPS], scratch);
    case DIMENSION_TIME:
        break;
    }
    return NULL;
}

uint32_t dimension_texts(const struct dimension *dimension)
{
    return dimension->kind == DIMENSION_TEXT
               ? UINT32_C(1) << (unsigned)dimension->text
           : dimension->kind == DIMENSION_PROP
               ? UINT32_C(1) << (unsigned)ENTRY_TEXT_PROPS
               : 0;
}
