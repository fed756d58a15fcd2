/* plausible.c - reading and mapping the dialect of POST /api/event. */
#include "ingest/plausible.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/text.h"
#include "ingest/event.h"
#include "ingest/source.h"
#include "sql/engagement.h"

#define NAME_CHARS 120
#define TEXT_CHARS 2000 /* of a path, of a referrer */
#define PROP_NAME_BYTES 300
#define PROP_VALUE_BYTES 2000
#define LINK_BYTES 256
#define CONTACT_BYTES 256
#define CONTACT_MESSAGE_BYTES 4096
#define NUMBER_BYTES 32
#define AMOUNT_MAX 1e12
#define ATTENTION_MAX_MS (INT64_C(30) * 24 * 3600000) /* more is an error */
#define OUTBOUND "Outbound Link: Click"

static const char *const field_names[PLAUSIBLE_FIELD_COUNT] = {
    "request",  "url",   "event_name", "domain", "pathname",
    "referrer", "props", "type",       "link"};

/* The last member of one of the names, the short one first; JSON's null counts
 * as absent. */
static const cJSON *find(const cJSON *json, const char *brief, const char *full)
{
    const cJSON *found[2] = {NULL, NULL};

    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        if (strcmp(item->string, brief) == 0) {
            found[0] = item;
        } else if (full != NULL && strcmp(item->string, full) == 0) {
            found[1] = item;
        }
    }
    for (int i = 0; i < 2; i++) {
        if (found[i] != NULL && !cJSON_IsNull(found[i])) {
            return found[i];
        }
    }
    return NULL;
}

static const char *text_of(const cJSON *item)
{
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static size_t count_chars(const char *text, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++) { /* continuation bytes begin none */
        count += ((unsigned char)text[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return count;
}

/* The text without white space at its ends; NULL: out of memory. */
static char *trim(const char *text, size_t len, struct lb_arena *arena)
{
    while (len > 0 && (unsigned char)text[0] <= ' ') {
        text++;
        len--;
    }
    while (len > 0 && (unsigned char)text[len - 1] <= ' ') {
        len--;
    }
    return lb_arena_text(arena, text, len);
}

/* --- name, URL, referrer, domains ------------------------------------------
 */

static enum lb_err
read_name(struct plausible *out, const cJSON *json, struct lb_arena *arena)
{
    const cJSON *item = find(json, "n", "name");
    const char *text = text_of(item);

    out->name = "";
    if (item == NULL) {
        out->fault[PLAUSIBLE_NAME] = "can't be blank";
        return LB_OK;
    }
    if (text == NULL) {
        out->fault[PLAUSIBLE_NAME] = "is invalid";
        return LB_OK;
    }
    out->name = trim(text, strlen(text), arena);
    if (out->name == NULL) {
        return LB_ENOMEM;
    }
    if (out->name[0] == '\0') {
        out->fault[PLAUSIBLE_NAME] = "can't be blank";
    } else if (count_chars(out->name, strlen(out->name)) > NAME_CHARS) {
        out->fault[PLAUSIBLE_NAME] = "should be at most 120 character(s)";
    }
    return LB_OK;
}

/* What a native event's page is read from: of "file:///a" and other URLs
 * without a host the path. */
static const char *native_url(const char *url, const char *host)
{
    const char *path = url + strcspn(url, ":/?#");

    if (host != NULL || strncmp(path, ":///", 4) != 0 || path[4] == '/') {
        return url;
    }
    return path + 3;
}

/* Path and, where it is part of the page, fragment. */
static void check_pathname(struct plausible *out)
{
    const char *authority = strstr(out->url, "//");
    const char *path = authority == NULL ? out->url : authority + 2;
    const char *fragment = strchr(path, '#');
    size_t count;

    path += authority == NULL ? 0 : strcspn(path, "/?#");
    count = count_chars(path, strcspn(path, "?#"));
    if (out->is_fragment_page && fragment != NULL) {
        count += count_chars(fragment, strlen(fragment));
    }
    if (count > TEXT_CHARS) {
        out->fault[PLAUSIBLE_PATHNAME] = "should be at most 2000 character(s)";
    }
}

static enum lb_err read_url(struct plausible *out,
                            const cJSON *json,
                            struct lb_arena *arena,
                            const char **host_out)
{
    const cJSON *item = find(json, "u", "url");
    const char *url = text_of(item);

    *host_out = NULL;
    out->url = "";
    if (url == NULL) {
        out->fault[PLAUSIBLE_URL] =
            item == NULL ? "is required" : "must be a string";
        return LB_OK;
    }
    url = trim(url, strlen(url), arena);
    if (url == NULL) {
        return LB_ENOMEM;
    }
    if (strncasecmp(url, "data:", strlen("data:")) == 0) {
        out->fault[PLAUSIBLE_URL] = "scheme is not allowed";
        return LB_OK;
    }
    if (source_url_host(url, strlen(url), arena, host_out) != LB_OK) {
        return LB_ENOMEM;
    }
    out->url = native_url(url, *host_out);
    check_pathname(out);
    return LB_OK;
}

static void read_referrer(struct plausible *out, const cJSON *json)
{
    const char *referrer = text_of(find(json, "r", "referrer"));

    if (referrer != NULL &&
        count_chars(referrer, strlen(referrer)) > TEXT_CHARS) {
        out->fault[PLAUSIBLE_REFERRER] = "should be at most 2000 character(s)";
    }
    out->referrer = referrer;
}

static const struct catalog_site *find_site(const struct catalog *catalog,
                                            char *domain)
{
    const struct catalog_site *site = NULL;

    lb_text_fold_all(domain);
    if (strncmp(domain, "www.", 4) == 0) {
        site = catalog_site_find(catalog, domain + 4);
    }
    return site == NULL ? catalog_site_find(catalog, domain) : site;
}

/* Counts a domain as known or not; a site that is named twice counts once. */
static void
add_domain(struct plausible *out, const struct catalog *catalog, char *domain)
{
    const struct catalog_site *site = find_site(catalog, domain);

    if (site == NULL) {
        out->unknown_count++;
        return;
    }
    for (size_t i = 0; i < out->site_count; i++) {
        if (out->sites[i] == site) {
            return;
        }
    }
    out->sites[out->site_count++] = site;
}

static enum lb_err add_domains(struct plausible *out,
                               const struct catalog *catalog,
                               const char *list,
                               struct lb_arena *arena)
{
    size_t count = 0;

    while (*list != '\0') {
        size_t len = strcspn(list, ",");
        char *domain = trim(list, len, arena);

        if (domain == NULL) {
            return LB_ENOMEM;
        }
        if (domain[0] != '\0' && count++ == PLAUSIBLE_DOMAINS) {
            out->fault[PLAUSIBLE_DOMAIN] = "should have at most 100 item(s)";
            return LB_OK;
        }
        if (domain[0] != '\0') {
            add_domain(out, catalog, domain);
        }
        list += len;
        list += *list == ',' ? 1 : 0;
    }
    return LB_OK;
}

static enum lb_err read_domains(struct plausible *out,
                                const cJSON *json,
                                const char *host,
                                const struct catalog *catalog,
                                struct lb_arena *arena)
{
    const cJSON *item = find(json, "d", "domain");
    const char *list = item == NULL ? host : text_of(item);
    enum lb_err rc =
        list == NULL ? LB_OK : add_domains(out, catalog, list, arena);

    if (rc == LB_OK && out->site_count + out->unknown_count == 0) {
        out->fault[PLAUSIBLE_DOMAIN] = "can't be blank";
    }
    return rc;
}

/* --- properties and revenue ------------------------------------------------
 */

/* A number's JSON text, the shortest that reads back as the same. */
static void write_number(double number, char out[NUMBER_BYTES])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, NUMBER_BYTES, "%.*g", digits, number);
        if (strtod(out, NULL) == number) {
            return;
        }
    }
}

/* A value as text; NULL in *text_out: it is dropped. */
static enum lb_err
prop_text(const cJSON *item, struct lb_arena *arena, const char **text_out)
{
    char number[NUMBER_BYTES];

    *text_out = NULL;
    if (cJSON_IsString(item)) {
        *text_out = item->valuestring[0] == '\0' ? NULL : item->valuestring;
    } else if (cJSON_IsBool(item)) {
        *text_out = cJSON_IsTrue(item) ? "true" : "false";
    } else if (cJSON_IsNumber(item)) {
        write_number(item->valuedouble, number);
        *text_out = lb_arena_text(arena, number, strlen(number));
        return *text_out == NULL ? LB_ENOMEM : LB_OK;
    }
    return LB_OK;
}

static void add_prop(struct plausible *out, const char *name, const char *value)
{
    size_t at = 0;

    if (strlen(name) > PROP_NAME_BYTES || strlen(value) > PROP_VALUE_BYTES) {
        out->fault[PLAUSIBLE_PROPERTIES] =
            "keys should have at most 300 bytes and values 2000 bytes";
        return;
    }
    while (at < out->prop_count && strcmp(out->props[at].name, name) != 0) {
        at++;
    }
    if (at < PLAUSIBLE_PROPS) {
        out->props[at] = (struct plausible_prop){name, value};
        out->prop_count += at == out->prop_count ? 1 : 0;
    }
}

static enum lb_err read_props(struct plausible *out,
                              const cJSON *json,
                              unsigned json_depth,
                              struct lb_arena *arena)
{
    const cJSON *object = find(json, "p", NULL);
    struct lb_json_fault fault;
    const char *value;

    object = object == NULL ? find(json, "m", "props") : object;
    object = object == NULL ? find(json, "meta", NULL) : object;
    if (cJSON_IsString(object)) {
        const char *text = object->valuestring;
        cJSON *parsed = NULL;

        if (lb_json_parse(text, strlen(text), json_depth, arena, &parsed,
                          &fault) == LB_ENOMEM) {
            return LB_ENOMEM;
        }
        object = parsed;
    }
    if (!cJSON_IsObject(object)) {
        return LB_OK;
    }
    for (const cJSON *item = object->child; item != NULL; item = item->next) {
        if (prop_text(item, arena, &value) != LB_OK) {
            return LB_ENOMEM;
        }
        if (value != NULL && item->string[0] != '\0') {
            add_prop(out, item->string, value);
        }
    }
    return LB_OK;
}

/* A number, or a text that is a decimal number. */
static bool read_decimal(const cJSON *item, double *number_out)
{
    const char *text = text_of(item);
    char *end = NULL;

    if (cJSON_IsNumber(item)) {
        *number_out = item->valuedouble;
        return true;
    }
    if (text == NULL || !lb_text_is_made_of(text, "0-9.-", NUMBER_BYTES)) {
        return false;
    }
    *number_out = strtod(text, &end);
    return *end == '\0';
}

/* Amounts of a script are binary fractions, 0.1 + 0.2 for instance: they are
 * rounded.  A revenue that is none is dropped, the event stays. */
static void read_revenue(struct plausible *out, const cJSON *json)
{
    const cJSON *revenue = find(json, "$", "revenue");
    const char *currency;
    double amount;

    if (!cJSON_IsObject(revenue)) {
        return;
    }
    currency = text_of(find(revenue, "currency", NULL));
    if (currency == NULL || strlen(currency) != 3 ||
        !lb_text_is_made_of(currency, "A-Za-z", 3) ||
        !read_decimal(find(revenue, "amount", NULL), &amount) ||
        !(fabs(amount) <= AMOUNT_MAX)) {
        return;
    }
    out->has_revenue = true;
    out->revenue_hundredths = llround(amount * 100);
    for (int i = 0; i < 3; i++) {
        out->currency[i] = (char)(currency[i] & ~0x20);
    }
}

/* --- the rest --------------------------------------------------------------
 */

static void read_type_and_link(struct plausible *out, const cJSON *json)
{
    const cJSON *type = find(json, "t", "type");
    const cJSON *link = find(json, "l", "link");
    const char *name = text_of(type);
    const char *slug = text_of(link);

    if (type != NULL) {
        out->has_type = name != NULL && entry_type_from_name(name, &out->type);
        out->fault[PLAUSIBLE_TYPE] = out->has_type ? NULL : "is invalid";
    }
    if (link != NULL && (slug == NULL || strlen(slug) > LINK_BYTES)) {
        out->fault[PLAUSIBLE_LINK] = "is invalid";
    }
    out->link = slug;
}

/* A field that is no text or too long is left out: the lead stays. */
static void read_contact(struct plausible *out, const cJSON *json)
{
    static const char *const names[ENTRY_CONTACT_COUNT] = {"email", "name",
                                                           "message", "phone"};
    const cJSON *contact = find(json, "c", "contact");

    for (int i = 0; i < ENTRY_CONTACT_COUNT && cJSON_IsObject(contact); i++) {
        const char *text = text_of(find(contact, names[i], NULL));
        size_t most =
            i == ENTRY_CONTACT_MESSAGE ? CONTACT_MESSAGE_BYTES : CONTACT_BYTES;

        out->contact[i] = text == NULL || text[0] == '\0' || strlen(text) > most
                              ? NULL
                              : text;
    }
}

static void read_engagement(struct plausible *out, const cJSON *json)
{
    double depth;
    double ms;

    out->is_engagement = strcmp(out->name, "engagement") == 0 && !out->has_type;
    out->scroll_depth = ENGAGEMENT_UNKNOWN;
    if (!out->is_engagement) {
        return;
    }
    if (read_decimal(find(json, "sd", NULL), &depth) && depth >= 0 &&
        depth < ENGAGEMENT_UNKNOWN) {
        out->scroll_depth = depth > 100 ? 100 : (int)depth;
    }
    if (read_decimal(find(json, "e", NULL), &ms) && ms >= 0 &&
        ms < (double)ATTENTION_MAX_MS) {
        out->attention_ms = (int64_t)ms;
    }
    if (out->scroll_depth == ENGAGEMENT_UNKNOWN && out->attention_ms == 0) {
        out->fault[PLAUSIBLE_NAME] =
            "engagement event requires a valid integer value for at least one "
            "of 'sd' or 'e' fields";
    }
}

static void read_flags(struct plausible *out, const cJSON *json)
{
    const cJSON *hash = find(json, "h", "hashMode");

    out->is_passive = cJSON_IsFalse(find(json, "i", "interactive")) != 0;
    out->is_fragment_page =
        (cJSON_IsNumber(hash) && hash->valuedouble == 1) || cJSON_IsTrue(hash);
}

enum lb_err plausible_read(struct plausible *plausible,
                           const char *body,
                           size_t len,
                           unsigned json_depth,
                           const struct catalog *catalog,
                           struct lb_arena *arena)
{
    struct lb_json_fault fault;
    const char *host = NULL;
    cJSON *json = NULL;
    enum lb_err rc = lb_json_parse(body, len, json_depth, arena, &json, &fault);

    memset(plausible, 0, sizeof(*plausible));
    if (rc == LB_ENOMEM) {
        return rc;
    }
    if (rc != LB_OK || !cJSON_IsObject(json)) {
        plausible->fault[PLAUSIBLE_REQUEST] =
            "Unable to parse request body as json";
        return LB_EINVAL;
    }
    read_flags(plausible, json);
    read_type_and_link(plausible, json);
    read_referrer(plausible, json);
    read_revenue(plausible, json);
    read_contact(plausible, json);
    rc = read_name(plausible, json, arena);
    rc = rc == LB_OK ? read_url(plausible, json, arena, &host) : rc;
    rc = rc == LB_OK ? read_domains(plausible, json, host, catalog, arena) : rc;
    rc = rc == LB_OK ? read_props(plausible, json, json_depth, arena) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    read_engagement(plausible, json);
    for (int i = 0; i < PLAUSIBLE_FIELD_COUNT; i++) {
        rc = plausible->fault[i] == NULL ? rc : LB_EINVAL;
    }
    return rc;
}

void plausible_write_faults(const struct plausible *plausible,
                            struct lb_buf *out)
{
    lb_buf_add_text(out, "{\"errors\":{");
    for (int i = 0; i < PLAUSIBLE_FIELD_COUNT; i++) {
        if (plausible->fault[i] != NULL) {
            lb_json_add_key(out, field_names[i]);
            lb_buf_add_char(out, '[');
            lb_json_add_plain_string(out, plausible->fault[i]);
            lb_buf_add_char(out, ']');
        }
    }
    lb_buf_add_text(out, "}}");
}

/* --- native events ---------------------------------------------------------
 */

static bool is_lead(const struct catalog_site *site, const char *name)
{
    const cJSON *names =
        cJSON_GetObjectItemCaseSensitive(site->settings, "lead_events");
    const cJSON *item = NULL;

    if (strcmp(name, "Form: Submission") == 0) {
        return true;
    }
    cJSON_ArrayForEach (item, names) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum entry_type type_of(const struct plausible *plausible,
                               const struct catalog_site *site)
{
    const char *name = plausible->name;

    if (plausible->has_type) {
        return plausible->type;
    }
    if (plausible->is_engagement || strcmp(name, "pageview") == 0) {
        return ENTRY_VIEW;
    }
    if (strcmp(name, OUTBOUND) == 0 || strcmp(name, "File Download") == 0) {
        return ENTRY_CLICK;
    }
    return is_lead(site, name) ? ENTRY_LEAD : ENTRY_CONVERSION;
}

/* The name that an event keeps: not the one that says no more than its type. */
static const char *name_of(const struct plausible *plausible,
                           enum entry_type type)
{
    const char *name = plausible->name;

    return plausible->is_engagement ||
                   (type == ENTRY_VIEW && strcmp(name, "pageview") == 0) ||
                   (type == ENTRY_CLICK && strcmp(name, OUTBOUND) == 0)
               ? NULL
               : name;
}

/* Bytes up to the path. */
static size_t origin_len(const char *url)
{
    const char *slashes = strstr(url, "://");

    return slashes == NULL
               ? 0
               : (size_t)(slashes - url) + 3 + strcspn(slashes + 3, "/?#");
}

/* Whether a browser would write both alike: scheme and host folded, no path is
 * "/". */
static bool is_same_url(const char *a, const char *b)
{
    size_t len = origin_len(a);

    if (len != origin_len(b) || strncasecmp(a, b, len) != 0) {
        return false;
    }
    a += len;
    b += len;
    return strcmp(a + (*a == '/' ? 1 : 0), b + (*b == '/' ? 1 : 0)) == 0;
}

static const char *link_of(const struct plausible *plausible,
                           const struct catalog_site *site)
{
    const char *url = NULL;

    if (plausible->link != NULL || strcmp(plausible->name, OUTBOUND) != 0) {
        return plausible->link;
    }
    for (size_t i = 0; i < plausible->prop_count; i++) {
        url = strcmp(plausible->props[i].name, "url") == 0
                  ? plausible->props[i].value
                  : url;
    }
    for (size_t i = 0; i < site->link_count && url != NULL; i++) {
        const struct catalog_link *link = &site->links[i];

        if (link->removed_at_ms == 0 && is_same_url(link->url, url)) {
            return link->slug;
        }
    }
    return NULL;
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        lb_json_add_key(out, key);
        lb_json_add_plain_string(out, text);
    }
}

static void add_value(const struct plausible *plausible, struct lb_buf *out)
{
    int64_t hundredths = plausible->revenue_hundredths;

    lb_buf_printf(out,
                  ",\"value\":{\"amount\":%s%lld.%02lld,\"currency\":\"%s\"}",
                  hundredths < 0 ? "-" : "", (long long)llabs(hundredths) / 100,
                  (long long)llabs(hundredths) % 100, plausible->currency);
}

static void add_contact(const struct plausible *plausible, struct lb_buf *out)
{
    lb_buf_add_text(out, ",\"contact\":{");
    add_text(out, "email", plausible->contact[ENTRY_CONTACT_EMAIL]);
    add_text(out, "name", plausible->contact[ENTRY_CONTACT_NAME]);
    add_text(out, "message", plausible->contact[ENTRY_CONTACT_MESSAGE]);
    add_text(out, "phone", plausible->contact[ENTRY_CONTACT_PHONE]);
    lb_buf_add_char(out, '}');
}

void plausible_write_event(const struct plausible *plausible,
                           size_t index,
                           struct lb_buf *out)
{
    const struct catalog_site *site = plausible->sites[index];
    enum entry_type type = type_of(plausible, site);

    lb_buf_add_char(out, '{');
    add_text(out, "type", entry_type_name(type));
    add_text(out, "site", site->id);
    add_text(out, "name", name_of(plausible, type));
    add_text(out, "link", link_of(plausible, site));
    add_text(out, "url", plausible->url);
    add_text(out, "referrer", plausible->referrer);
    if (plausible->has_revenue) {
        add_value(plausible, out);
    }
    if (type == ENTRY_LEAD) {
        add_contact(plausible, out);
    }
    lb_buf_add_text(out, ",\"props\":{");
    for (size_t i = 0; i < plausible->prop_count; i++) {
        add_text(out, plausible->props[i].name, plausible->props[i].value);
    }
    lb_buf_add_text(out, "}}");
}
