/* event.c - validation and enrichment of one event. */
#include "ingest/event.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/zone.h"
#include "ingest/channel.h"
#include "ingest/event_client.h"
#include "ingest/event_parts.h"
#include "sql/auth.h"
#include "sql/engagement.h"

#define CACHE_LINE 64

enum field_kind {
    FIELD_TEXT,
    FIELD_TS,
    FIELD_UTM,
    FIELD_VALUE,
    FIELD_CONTACT,
    FIELD_PROPS
};

enum field_id {
    FIELD_ID_TYPE,
    FIELD_ID_SITE,
    FIELD_ID_ID,
    FIELD_ID_NAME,
    FIELD_ID_LINK,
    FIELD_ID_URL,
    FIELD_ID_REFERRER,
    FIELD_ID_TS,
    FIELD_ID_IP,
    FIELD_ID_AGENT,
    FIELD_ID_VISITOR,
    FIELD_ID_COUNTRY,
    FIELD_ID_REGION,
    FIELD_ID_CITY,
    FIELD_ID_UTM,
    FIELD_ID_VALUE,
    FIELD_ID_CONTACT,
    FIELD_ID_PROPS,
    FIELD_COUNT
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t max_bytes; /* 0: the common limit */
};

static const struct field fields[FIELD_COUNT] = {
    {"type", FIELD_TEXT, 0},
    {"site", FIELD_TEXT, 0},
    {"id", FIELD_TEXT, EVENT_ID_BYTES},
    {"name", FIELD_TEXT, 0},
    {"link", FIELD_TEXT, 0},
    {"url", FIELD_TEXT, 2048},
    {"referrer", FIELD_TEXT, 2048},
    {"ts", FIELD_TS, 0},
    {"ip", FIELD_TEXT, 0},
    {"user_agent", FIELD_TEXT, 1024},
    {"visitor", FIELD_TEXT, 0},
    {"country", FIELD_TEXT, 0},
    {"region", FIELD_TEXT, 0},
    {"city", FIELD_TEXT, 0},
    {"utm", FIELD_UTM, 0},
    {"value", FIELD_VALUE, 0},
    {"contact", FIELD_CONTACT, 0},
    {"props", FIELD_PROPS, 0},
};

struct reading {
    const struct event_context *context;
    struct lb_arena *arena;
    struct event *event;
    struct event_fault *fault;
    const cJSON *items[FIELD_COUNT]; /* what the object holds; NULL: absent */
};

static bool no_memory(struct reading *reading)
{
    return event_fault_set(reading->fault, "internal", NULL, "out of memory");
}

static const char *text_of(const struct reading *reading, enum field_id id)
{
    const cJSON *item = reading->items[id];

    return item == NULL || item->valuestring[0] == '\0' ? NULL
                                                        : item->valuestring;
}

static int find_field(const char *name)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (name[0] == fields[i].name[0] && strcmp(name, fields[i].name) == 0) {
            return i;
        }
    }
    return -1;
}

/* Sorts the object's members into items; null counts as absent. */
static bool sort_fields(struct reading *reading, const cJSON *json)
{
    unsigned seen = 0;

    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        int id = find_field(item->string);

        if (id < 0) {
            return event_fault_set(
                reading->fault, "unknown_field",
                event_fault_shown(item->string),
                "\"%.60s\" is no field of an event; see the list in "
                "the documentation",
                event_fault_shown(item->string));
        }
        if ((seen & 1u << id) != 0) {
            return event_fault_set(
                reading->fault, "duplicate_key", fields[id].name,
                "%s stands in the event twice", fields[id].name);
        }
        seen |= 1u << id;
        if (cJSON_IsNull(item)) {
            continue;
        }
        if (fields[id].kind == FIELD_TEXT &&
            !event_parts_check_text(reading->context, fields[id].name, item,
                                    fields[id].max_bytes, reading->fault)) {
            return false;
        }
        reading->items[id] = item;
    }
    return true;
}

/* The site of that id, where the sender may use it. */
static const struct catalog_site *find_site(const struct event_context *context,
                                            const char *id)
{
    const struct catalog_site *site = catalog_site_find(context->catalog, id);

    return site != NULL && (context->who == NULL ||
                            auth_may_site(context->who, site->number))
               ? site
               : NULL;
}

/* Number of the site that an event names, however it is at fault; 0: none. */
static int64_t site_of(const struct event_context *context, const cJSON *json)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, "site");
    const struct catalog_site *site =
        cJSON_IsString(item) ? find_site(context, item->valuestring) : NULL;

    return site == NULL ? 0 : site->number;
}

static bool read_type_and_site(struct reading *reading)
{
    struct entry *entry = &reading->event->entry;
    const char *type = text_of(reading, FIELD_ID_TYPE);
    const char *site = text_of(reading, FIELD_ID_SITE);

    if (type == NULL) {
        return event_fault_set(
            reading->fault, "missing_field", "type",
            "type is missing; it is view, click, lead or conversion");
    }
    if (!entry_type_from_name(type, &entry->type)) {
        return event_fault_set(
            reading->fault, "bad_value", "type",
            "type \"%.40s\" is not view, click, lead or conversion",
            event_fault_shown(type));
    }
    if (site == NULL) {
        return event_fault_set(
            reading->fault, "missing_field", "site",
            "site is missing; it is the id of a configured site");
    }
    reading->event->site = find_site(reading->context, site);
    if (reading->event->site == NULL) {
        return event_fault_set(
            reading->fault, "unknown_site", "site",
            "there is no site \"%.64s\" for this token; add it to "
            "linkbell.yaml and apply it, or use another token",
            event_fault_shown(site));
    }
    entry->site = reading->event->site->number;
    return true;
}

static bool
parse_ts(struct reading *reading, const cJSON *item, int64_t *ts_out)
{
    const double last_ms = 253402300799999.0; /* the end of 9999 */

    if (cJSON_IsNumber(item)) {
        if (item->valuedouble < 0 || item->valuedouble > last_ms ||
            item->valuedouble != (double)(int64_t)item->valuedouble) {
            return event_fault_set(
                reading->fault, "bad_ts", "ts",
                "ts must be whole milliseconds since 1970, up to the "
                "year 9999");
        }
        *ts_out = (int64_t)item->valuedouble;
        return true;
    }
    if (!cJSON_IsString(item)) {
        return event_fault_set(
            reading->fault, "bad_type", "ts",
            "ts must be an RFC 3339 text or epoch milliseconds");
    }
    if (!lb_zone_parse_instant(item->valuestring, ts_out) || *ts_out < 0) {
        return event_fault_set(
            reading->fault, "bad_ts", "ts",
            "ts \"%.40s\" is no RFC 3339 time with a zone, such as "
            "2026-11-23T08:15:02Z",
            event_fault_shown(item->valuestring));
    }
    return true;
}

static bool read_ts(struct reading *reading)
{
    struct entry *entry = &reading->event->entry;
    int64_t now_ms = reading->context->received_at_ms;

    entry->received_at_ms = now_ms;
    entry->ts_at_ms = now_ms;
    if (reading->items[FIELD_ID_TS] != NULL &&
        !parse_ts(reading, reading->items[FIELD_ID_TS], &entry->ts_at_ms)) {
        return false;
    }
    if (entry->ts_at_ms > now_ms + EVENT_FUTURE_MS) {
        return event_fault_set(
            reading->fault, "in_future", "ts",
            "ts is more than 10 minutes ahead of this server's clock; "
            "check the sender's clock");
    }
    if (reading->event->site != NULL &&
        entry->ts_at_ms < reading->event->site->horizon_at_ms) {
        return event_fault_set(
            reading->fault, "too_old", "ts",
            "ts lies before what the site keeps: its events of that day have "
            "aged out (privacy.retention), and their counts are final");
    }
    if (reading->context->is_any_age) {
        entry->received_at_ms = entry->ts_at_ms;
    } else if (entry->ts_at_ms < now_ms - EVENT_LATE_MS) {
        return event_fault_set(
            reading->fault, "too_old", "ts",
            "ts is more than 72 hours ago; load older events with "
            "linkbell import");
    }
    return true;
}

static bool read_id(struct reading *reading)
{
    const char *id = text_of(reading, FIELD_ID_ID);
    char made[32];

    if (id == NULL) {
        if (!lb_secret_id("ev_", made, sizeof(made))) {
            return no_memory(reading);
        }
        id = lb_arena_text(reading->arena, made, strlen(made));
        if (id == NULL) {
            return no_memory(reading);
        }
    }
    reading->event->entry.text[ENTRY_TEXT_ID] = id;
    reading->event->entry.id_hash =
        log_ids_hash(reading->context->id_key, reading->event->entry.site, id);
    return true;
}

static bool read_texts(struct reading *reading)
{
    struct entry *entry = &reading->event->entry;
    const char *country = text_of(reading, FIELD_ID_COUNTRY);

    entry->text[ENTRY_TEXT_NAME] = text_of(reading, FIELD_ID_NAME);
    entry->text[ENTRY_TEXT_LINK] = text_of(reading, FIELD_ID_LINK);
    entry->text[ENTRY_TEXT_REGION] = text_of(reading, FIELD_ID_REGION);
    entry->text[ENTRY_TEXT_CITY] = text_of(reading, FIELD_ID_CITY);
    if (country != NULL &&
        (strlen(country) != 2 || !lb_text_is_made_of(country, "A-Z", 2))) {
        return event_fault_set(
            reading->fault, "bad_value", "country",
            "country \"%.20s\" is not two letters A-Z (ISO 3166-1)",
            event_fault_shown(country));
    }
    entry->text[ENTRY_TEXT_COUNTRY] = country;
    return true;
}

/* The page with what follows the first '#' of url; NULL: out of memory. */
static const char *
add_fragment(struct reading *reading, const char *page, const char *url)
{
    const char *fragment = strchr(url, '#');
    size_t bytes;
    char *text;

    if (fragment == NULL) {
        return page;
    }
    bytes = strlen(page) + strlen(fragment) + 1;
    text = lb_arena_alloc(reading->arena, bytes);
    if (text != NULL) {
        (void)snprintf(text, bytes, "%s%s", page, fragment);
    }
    return text;
}

/* Host and path of the event's URL. */
static bool read_url(struct reading *reading, const char **host_out)
{
    struct entry *entry = &reading->event->entry;
    const char *url = text_of(reading, FIELD_ID_URL);
    const char *path = NULL;
    size_t len;

    *host_out = NULL;
    if (url == NULL) {
        return true;
    }
    if (source_url_host(url, strlen(url), reading->arena, host_out) != LB_OK) {
        return no_memory(reading);
    }
    if (url[0] == '/' && url[1] != '/') {
        path = url;
    } else if (*host_out != NULL) {
        path = strstr(url, "//") + 2;
        path += strcspn(path, "/?#");
    }
    if (path == NULL) {
        return true;
    }
    len = strcspn(path, "?#");
    entry->text[ENTRY_TEXT_PAGE] =
        len == 0 ? "/" : lb_arena_text(reading->arena, path, len);
    if (reading->context->is_fragment_kept &&
        entry->text[ENTRY_TEXT_PAGE] != NULL) {
        entry->text[ENTRY_TEXT_PAGE] =
            add_fragment(reading, entry->text[ENTRY_TEXT_PAGE], path);
    }
    entry->text[ENTRY_TEXT_HOST] = *host_out;
    return entry->text[ENTRY_TEXT_PAGE] != NULL || no_memory(reading);
}

static bool read_utm_object(struct reading *reading, struct utm *utm)
{
    const cJSON *object = reading->items[FIELD_ID_UTM];
    const char *twice;

    if (object == NULL) {
        return true;
    }
    if (!cJSON_IsObject(object)) {
        return event_fault_set(
            reading->fault, "bad_type", "utm",
            "utm must be an object with source, medium, campaign, "
            "term, content");
    }
    twice = lb_json_find_duplicate_key(object);
    if (twice != NULL) {
        return event_fault_set(reading->fault, "duplicate_key", "utm",
                               "%.60s stands in utm twice",
                               event_fault_shown(twice));
    }
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        const char *name = strncmp(item->string, "utm_", 4) == 0
                               ? item->string + 4
                               : item->string;
        int key = 0;

        while (key < UTM_KEY_COUNT &&
               strcmp(utm_key_name((enum utm_key)key) + 4, name) != 0) {
            key++;
        }
        if (key == UTM_KEY_COUNT) {
            return event_fault_set(
                reading->fault, "unknown_field",
                event_fault_shown(item->string),
                "\"%.60s\" is no key of utm; they are source, medium, "
                "campaign, term, content",
                event_fault_shown(item->string));
        }
        if (cJSON_IsNull(item)) {
            continue;
        }
        if (!event_parts_check_text(reading->context, "utm", item, 0,
                                    reading->fault)) {
            return false;
        }
        if (utm_set(utm, (enum utm_key)key, item->valuestring,
                    strlen(item->valuestring), reading->context->is_case_kept,
                    reading->arena) != LB_OK) {
            return no_memory(reading);
        }
    }
    return true;
}

static void keep_attribution(struct event *event,
                             const struct utm *utm,
                             const struct source_referrer *referrer,
                             const struct source_verdict *verdict)
{
    struct entry *entry = &event->entry;
    bool has_campaign = utm->click_id != NULL;

    for (int key = 0; key < UTM_KEY_COUNT; key++) {
        entry->text[ENTRY_TEXT_UTM_SOURCE + key] = utm->value[key];
        has_campaign = has_campaign || utm->value[key] != NULL;
    }
    entry->text[ENTRY_TEXT_CLICK_ID] =
        utm->click_id == NULL ? NULL : utm->click_id->name;
    entry->text[ENTRY_TEXT_REFERRER] = referrer->stored;
    entry->text[ENTRY_TEXT_SOURCE] = verdict->name;
    entry->text[ENTRY_TEXT_CHANNEL] = channel_decide(utm, verdict);
    event->own = has_campaign                       ? DECIDE_OWN_CAMPAIGN
                 : referrer->kind != SOURCE_NOTHING ? DECIDE_OWN_REFERRER
                                                    : DECIDE_OWN_NOTHING;
}

static bool read_attribution(struct reading *reading, const char *host)
{
    const struct catalog_site *site = reading->event->site;
    const char *url = text_of(reading, FIELD_ID_URL);
    const char *referrer = text_of(reading, FIELD_ID_REFERRER);
    struct source_self self = {host, site->id, site->hosts, site->host_count};
    struct source_referrer read;
    struct source_verdict verdict;
    struct utm utm;

    url = url == NULL ? "" : url;
    referrer = referrer == NULL ? reading->context->referrer : referrer;
    referrer = referrer == NULL ? "" : referrer;
    if (utm_read_url(url, strlen(url), reading->context->is_case_kept,
                     reading->arena, &utm) != LB_OK) {
        return no_memory(reading);
    }
    if (!read_utm_object(reading, &utm)) {
        return false;
    }
    if (source_read_referrer(reading->context->sources, referrer,
                             strlen(referrer), &self, reading->arena,
                             &read) != LB_OK ||
        source_decide(reading->context->sources, &utm, &read, reading->arena,
                      &verdict) != LB_OK) {
        return no_memory(reading);
    }
    keep_attribution(reading->event, &utm, &read, &verdict);
    return true;
}

/* Place, device, class and visitor of the client. */
static bool read_client(struct reading *reading)
{
    const cJSON *agent = reading->items[FIELD_ID_AGENT];
    const struct event_client client = {
        .address = text_of(reading, FIELD_ID_IP),
        .agent = agent == NULL ? reading->context->agent : agent->valuestring,
        .visitor = text_of(reading, FIELD_ID_VISITOR)};
    enum lb_err rc = event_client_fill(reading->context, &client,
                                       reading->arena, reading->event);

    if (rc == LB_EINVAL) {
        return event_fault_set(reading->fault, "bad_value", "ip",
                               "ip is no IPv4 or IPv6 address");
    }
    return rc == LB_OK || no_memory(reading);
}

bool event_engage(struct event *event,
                  int scroll_depth,
                  int64_t attention_ms,
                  struct lb_arena *arena)
{
    const char *page = event->entry.text[ENTRY_TEXT_PAGE];
    struct event_engagement *engagement =
        lb_arena_calloc(arena, sizeof(*engagement));

    if (engagement == NULL) {
        return false;
    }
    engagement->scroll_depth = scroll_depth;
    engagement->attention_ms = attention_ms;
    engagement->data_bytes = engagement_bytes(page);
    engagement->data = lb_arena_alloc(arena, engagement->data_bytes);
    event->entry.kind = ENTRY_ENGAGEMENT;
    event->engagement = engagement;
    return engagement->data != NULL;
}

static char *keep_text(const char **text, char *at)
{
    size_t bytes = *text == NULL ? 0 : strlen(*text) + 1;

    if (bytes > 0) {
        memcpy(at, *text, bytes);
        *text = at;
    }
    return at + bytes;
}

bool event_keep(struct event *event, struct lb_arena *arena)
{
    struct entry *entry = &event->entry;
    size_t bytes = 1;
    char *at;

    for (int i = 0; i < ENTRY_TEXT_COUNT; i++) {
        bytes += entry->text[i] == NULL ? 0 : strlen(entry->text[i]) + 1;
    }
    for (int i = 0; i < ENTRY_CONTACT_COUNT; i++) {
        bytes += entry->contact[i] == NULL ? 0 : strlen(entry->contact[i]) + 1;
    }
    at = lb_arena_alloc(arena, bytes);
    for (int i = 0; i < ENTRY_TEXT_COUNT && at != NULL; i++) {
        at = keep_text(&entry->text[i], at);
    }
    for (int i = 0; i < ENTRY_CONTACT_COUNT && at != NULL; i++) {
        at = keep_text(&entry->contact[i], at);
    }
    return at != NULL;
}

void event_expect(const struct event *event)
{
    const char *bytes = (const char *)event;

    for (size_t at = 0; at < sizeof(*event); at += CACHE_LINE) {
        __builtin_prefetch(bytes + at);
    }
}

bool event_read(const struct event_context *context,
                const cJSON *json,
                struct lb_arena *arena,
                struct event *event_out,
                struct event_fault *fault_out)
{
    struct reading reading = {context, arena, event_out, fault_out, {NULL}};
    const char *host = NULL;
    bool is_read;

    memset(event_out, 0, sizeof(*event_out));
    event_out->entry.kind = ENTRY_EVENT;
    event_out->entry.is_silent = context->is_silent;
    event_out->entry.is_passive = context->is_passive;
    event_out->entry.is_qr = context->is_qr;
    if (!cJSON_IsObject(json)) {
        return event_fault_set(reading.fault, "bad_type", "event",
                               "an event must be a JSON object");
    }
    is_read = sort_fields(&reading, json) && read_type_and_site(&reading) &&
              read_ts(&reading) && read_id(&reading) && read_texts(&reading) &&
              read_url(&reading, &host) && read_attribution(&reading, host) &&
              read_client(&reading) &&
              event_parts_read_value(reading.items[FIELD_ID_VALUE], event_out,
                                     fault_out) &&
              event_parts_read_contact(context, reading.items[FIELD_ID_CONTACT],
                                       event_out, fault_out) &&
              event_parts_read_props(context, reading.items[FIELD_ID_PROPS],
                                     arena, event_out, fault_out);
    if (!is_read) {
        fault_out->site = site_of(context, json);
    }
    return is_read;
}
