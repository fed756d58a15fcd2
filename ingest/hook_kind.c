/* hook_kind.c - the kinds of sources.  Where the fields come from: Linkmi's
 * https://test.linksmi.com/features/webhooks; LinkMe's
 * https://li-nk.me/resources/help/guides/webhooks; Dub's
 * https://dub.co/docs/webhooks/event-types; Bitly's
 * https://dev.bitly.com/docs/tutorials/create-a-webhook.  A service's optional
 * field that is missing, or that no event can hold, is left out: its sender
 * can't help it, and would only send the same again. */
#include "ingest/hook_kind.h"

#include <stdio.h>
#include <string.h>

#include "base/ip.h"
#include "base/json.h"
#include "base/text.h"
#include "ingest/hook_map.h"

#define URL_BYTES 2048
#define COUNTRY_BYTES 3
#define CURRENCY_BYTES 4
#define REGION_BYTES 8

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* One event of a service: the word that it sends for it, and ours. */
struct word {
    const char *sent;
    const char *type;
};

static const struct word *
find_word(const struct word *words, size_t count, const char *sent)
{
    for (size_t i = 0; sent != NULL && i < count; i++) {
        if (strcmp(words[i].sent, sent) == 0) {
            return &words[i];
        }
    }
    return NULL;
}

/* An event of that type; NULL when the word means nothing to us, which is
 * counted.  A body without the word makes one without a type, which is refused
 * by name. */
static cJSON *begin(const struct word *words,
                    size_t count,
                    const cJSON *body,
                    struct hook_events *events)
{
    const char *sent = lb_json_text(body, "event");
    const struct word *word = find_word(words, count, sent);
    cJSON *event;

    if (sent != NULL && word == NULL) {
        events->ignored_count++;
        return NULL;
    }
    event = cJSON_CreateObject();
    hook_event_put_text(event, "type", word == NULL ? NULL : word->type);
    return event;
}

/* --- fields that services share ------------------------------------------- */

static void put_line(cJSON *event,
                     const char *field,
                     const cJSON *value,
                     const struct hook_events *events)
{
    hook_event_put_line(event, field, value, events->text_bytes);
}

/* A URL or referrer, where it is not too long. */
static void put_url(cJSON *event, const char *field, const cJSON *value)
{
    if (cJSON_IsString(value) && strlen(value->valuestring) <= URL_BYTES) {
        hook_event_put_text(event, field, value->valuestring);
    }
}

/* Two letters, in upper case; false when value is none. */
static bool read_country(const cJSON *value, char out[COUNTRY_BYTES])
{
    if (!cJSON_IsString(value) || strlen(value->valuestring) != 2 ||
        !lb_text_is_made_of(value->valuestring, "A-Za-z", 2)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        char c = value->valuestring[i];

        out[i] = (char)(c >= 'a' ? c - 'a' + 'A' : c);
    }
    out[2] = '\0';
    return true;
}

static void put_country(cJSON *event, const cJSON *value)
{
    char country[COUNTRY_BYTES];

    if (read_country(value, country)) {
        hook_event_put_text(event, "country", country);
    }
}

/* --- Linkmi: {"event","payload","timestamp"} ------------------------------ */

static const struct word linkmi_words[] = {{"profile.visit", "view"},
                                           {"link.click", "click"},
                                           {"subscriber.new", "lead"}};

/* The page of a profile is its code. */
static void put_profile(cJSON *event, const cJSON *code)
{
    struct lb_buf url;

    if (!cJSON_IsString(code) || code->valuestring[0] == '\0') {
        return;
    }
    lb_buf_init(&url, URL_BYTES);
    lb_buf_add_char(&url, '/');
    lb_text_percent_encode(&url, code->valuestring);
    if (!url.is_failed) {
        hook_event_put_text(event, "url", lb_buf_text(&url));
    }
    lb_buf_deinit(&url);
}

/* False: no event of this type has such a field. */
static bool put_linkmi(cJSON *event,
                       const char *type,
                       const cJSON *item,
                       const struct hook_events *events)
{
    const char *key = item->string;

    if (strcmp(type, "lead") == 0) {
        if (strcmp(key, "email") == 0) {
            put_line(event, "contact.email", item, events);
        } else if (strcmp(key, "campaignId") == 0) {
            put_line(event, "props.campaign", item, events);
        } else if (strcmp(key, "widgetTitle") == 0) {
            put_line(event, "name", item, events);
        } else {
            return false;
        }
    } else if (strcmp(key, "referer") == 0) {
        put_url(event, "referrer", item);
    } else if (strcmp(type, "view") == 0) {
        if (strcmp(key, "profileCode") == 0) {
            put_profile(event, item);
        } else if (strcmp(key, "country") == 0) {
            put_country(event, item);
        } else {
            return false;
        }
    } else if (strcmp(key, "linkId") == 0) {
        put_line(event, "link", item, events);
    } else if (strcmp(key, "title") == 0) {
        put_line(event, "name", item, events);
    } else if (strcmp(key, "type") == 0) {
        put_line(event, "props.type", item, events);
    } else {
        return false;
    }
    return true;
}

static void
write_linkmi(const cJSON *source, const cJSON *body, struct hook_events *events)
{
    cJSON *event =
        begin(linkmi_words, sizeof(linkmi_words) / sizeof(linkmi_words[0]),
              body, events);
    const char *type = lb_json_text(event, "type");
    const cJSON *payload = member(body, "payload");
    const cJSON *item;

    (void)source;
    if (event == NULL) {
        return;
    }
    if (!cJSON_IsObject(payload) || type == NULL) {
        payload = NULL;
    }
    cJSON_ArrayForEach (item, payload) {
        events->ignored_count += put_linkmi(event, type, item, events) ? 0 : 1;
    }
    hook_event_put_time(event, member(body, "timestamp"));
    hook_events_add(events, event, 0);
}

/* --- LinkMe: {"id","event","ts","app_id","data"} -------------------------- */

static const struct word linkme_words[] = {{"link.click", "click"},
                                           {"link.app_open", "conversion"},
                                           {"link.claim", "conversion"}};

static void
write_linkme(const cJSON *source, const cJSON *body, struct hook_events *events)
{
    cJSON *event =
        begin(linkme_words, sizeof(linkme_words) / sizeof(linkme_words[0]),
              body, events);
    const char *type = lb_json_text(event, "type");
    const cJSON *data = member(body, "data");

    (void)source;
    if (event == NULL) {
        return;
    }
    hook_event_put_as_text(event, "id", member(body, "id"));
    hook_event_put_time(event, member(body, "ts"));
    put_line(event, "link", member(data, "link_id"), events);
    put_line(event, "props.platform", member(data, "platform"), events);
    if (type != NULL && strcmp(type, "conversion") == 0) {
        put_line(event, "name", member(body, "event"), events);
    }
    hook_events_add(events, event, 0);
}

/* --- Dub: {"id","event","createdAt","data"} ------------------------------- */

static const struct word dub_words[] = {{"link.clicked", "click"},
                                        {"lead.created", "lead"},
                                        {"sale.created", "conversion"}};

/* ISO 3166-2 of a country and Dub's code of the part. */
static void
put_region(cJSON *event, const cJSON *country_value, const cJSON *value)
{
    char country[COUNTRY_BYTES];
    char region[REGION_BYTES];

    if (read_country(country_value, country) && cJSON_IsString(value) &&
        lb_text_is_made_of(value->valuestring, "A-Z0-9", 3)) {
        (void)snprintf(region, sizeof(region), "%s-%.3s", country,
                       value->valuestring);
        hook_event_put_text(event, "region", region);
    }
}

static void put_ip(cJSON *event, const cJSON *value)
{
    struct lb_ip address;

    if (cJSON_IsString(value) && lb_ip_parse(value->valuestring, &address)) {
        hook_event_put_text(event, "ip", value->valuestring);
    }
}

static void put_dub_click(cJSON *event,
                          const cJSON *click,
                          const struct hook_events *events)
{
    const cJSON *referrer = member(click, "refererUrl");

    put_url(event, "referrer",
            cJSON_IsString(referrer) ? referrer : member(click, "referer"));
    put_country(event, member(click, "country"));
    put_region(event, member(click, "country"), member(click, "region"));
    put_line(event, "city", member(click, "city"), events);
    put_ip(event, member(click, "ip"));
}

static void
put_dub_link(cJSON *event, const cJSON *link, const struct hook_events *events)
{
    static const struct {
        const char *field;
        const char *key;
    } utm[] = {{"utm.source", "utm_source"},
               {"utm.medium", "utm_medium"},
               {"utm.campaign", "utm_campaign"},
               {"utm.term", "utm_term"},
               {"utm.content", "utm_content"}};

    put_line(event, "link", member(link, "key"), events);
    put_url(event, "url", member(link, "shortLink"));
    for (size_t i = 0; i < sizeof(utm) / sizeof(utm[0]); i++) {
        put_line(event, utm[i].field, member(link, utm[i].key), events);
    }
}

/* Dub counts in the currency's smallest unit, which for these is the whole. */
static bool is_without_cents(const char *currency)
{
    static const char *const list[] = {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF",
                                       "KRW", "MGA", "PYG", "RWF", "UGX", "VND",
                                       "VUV", "XAF", "XOF", "XPF"};

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        if (strcmp(currency, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void put_dub_sale(cJSON *event, const cJSON *sale)
{
    const cJSON *amount = member(sale, "amount");
    const char *sent = lb_json_text(sale, "currency");
    char currency[CURRENCY_BYTES];
    cJSON *value;

    if (!cJSON_IsNumber(amount) || sent == NULL || strlen(sent) != 3 ||
        !lb_text_is_made_of(sent, "A-Za-z", 3)) {
        return;
    }
    for (int i = 0; i < 3; i++) {
        currency[i] = (char)(sent[i] >= 'a' ? sent[i] - 'a' + 'A' : sent[i]);
    }
    currency[3] = '\0';
    value = cJSON_AddObjectToObject(event, "value");
    (void)cJSON_AddNumberToObject(value, "amount",
                                  is_without_cents(currency)
                                      ? amount->valuedouble
                                      : amount->valuedouble / 100);
    (void)cJSON_AddStringToObject(value, "currency", currency);
}

static void
write_dub(const cJSON *source, const cJSON *body, struct hook_events *events)
{
    cJSON *event = begin(dub_words, sizeof(dub_words) / sizeof(dub_words[0]),
                         body, events);
    const cJSON *data = member(body, "data");
    const cJSON *click = member(data, "click");
    const cJSON *customer = member(data, "customer");

    (void)source;
    if (event == NULL) {
        return;
    }
    hook_event_put_as_text(event, "id", member(body, "id"));
    hook_event_put_time(event, member(body, "createdAt"));
    put_line(event, "name", member(data, "eventName"), events);
    put_line(event, "contact.email", member(customer, "email"), events);
    put_line(event, "contact.name", member(customer, "name"), events);
    put_dub_click(event, click, events);
    put_dub_link(event, member(data, "link"), events);
    put_dub_sale(event, member(data, "sale"));
    events->is_qr = cJSON_IsTrue(member(click, "qr")) != 0;
    hook_events_add(events, event, 0);
}

/* --- Bitly: one flat object an engagement --------------------------------- */

/* The short link without its scheme: "bit.ly/abc". */
static const char *read_bitlink(const cJSON *body)
{
    const char *bitlink = lb_json_text(body, "bitlink");
    const char *scheme = bitlink == NULL ? NULL : strstr(bitlink, "://");

    return scheme == NULL ? bitlink : scheme + 3;
}

/* The link's own address with what the visitor's request added to it. */
static void
put_bitlink(cJSON *event, const cJSON *body, const struct hook_events *events)
{
    const char *bitlink = read_bitlink(body);
    const char *params = lb_json_text(body, "passed_params");
    const char *slash = bitlink == NULL ? NULL : strchr(bitlink, '/');
    struct lb_buf url;

    if (slash == NULL || slash[1] == '\0' ||
        strlen(slash + 1) > events->text_bytes) {
        return;
    }
    hook_event_put_text(event, "link", slash + 1);
    lb_buf_init(&url, URL_BYTES);
    lb_buf_printf(&url, "https://%s", bitlink);
    if (params != NULL && params[0] != '\0') {
        lb_buf_printf(&url, "%s%s", params[0] == '?' ? "" : "?", params);
    }
    if (!url.is_failed) {
        hook_event_put_text(event, "url", lb_buf_text(&url));
    }
    lb_buf_deinit(&url);
}

static void
write_bitly(const cJSON *source, const cJSON *body, struct hook_events *events)
{
    const char *type = lb_json_text(body, "event_type");
    const cJSON *at = member(body, "datetime");
    cJSON *event;

    (void)source;
    if (type != NULL && strcmp(type, "engagement") != 0 &&
        strcmp(type, "click") != 0) {
        events->ignored_count++;
        return;
    }
    event = cJSON_CreateObject();
    hook_event_put_text(event, "type",
                        member(body, "bitlink") == NULL ? NULL : "click");
    hook_event_put_as_text(event, "id", member(body, "event_id"));
    hook_event_put_time(event, at == NULL ? member(body, "timestamp") : at);
    put_bitlink(event, body, events);
    put_url(event, "referrer", member(body, "referrer"));
    put_country(event, member(body, "country"));
    put_line(event, "props.device_type", member(body, "device_type"), events);
    hook_events_add(events, event, 0);
}

/* --- the table ------------------------------------------------------------ */

static const struct hook_kind kinds[] = {
    {"linkmi", write_linkmi, false, true, HOOK_SIGN_HMAC, "X-Linkmi-Signature",
     HOOK_SIGN_AUTO, 1000},
    {"linkme", write_linkme, false, true, HOOK_SIGN_HMAC, "X-LinkMe-Signature",
     HOOK_SIGN_SHA256_HEX, 0},
    {"dub", write_dub, false, true, HOOK_SIGN_HMAC, "Dub-Signature",
     HOOK_SIGN_HEX, 0},
    {"bitly", write_bitly, false, true, HOOK_SIGN_URL_SECRET, NULL,
     HOOK_SIGN_AUTO, 0},
    {"generic", hook_map_write, true, false, HOOK_SIGN_NONE, NULL,
     HOOK_SIGN_AUTO, 0},
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

const struct hook_kind *hook_kind_find(const char *name)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

const char *const *hook_kind_names(void)
{
    static const char *const names[] = {"linkmi", "linkme",  "dub",
                                        "bitly",  "generic", NULL};

    return names;
}
