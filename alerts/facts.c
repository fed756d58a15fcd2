/* facts.c - what a stored message says, for people. */
#include "alerts/facts.h"

#include <stdio.h>
#include <string.h>

#include "alerts/template.h"
#include "base/json.h"

#define TEXT_BYTES ((size_t)256 * 1024)
#define ELLIPSIS "\xe2\x80\xa6"

static const cJSON *get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* --- texts
 * ------------------------------------------------------------------------ */

/* Code units of the character that starts with byte; 0 inside a character. */
static size_t units_of(unsigned char byte)
{
    if ((byte & 0xc0) == 0x80) {
        return 0;
    }
    return byte >= 0xf0 ? 2 : 1;
}

size_t facts_units(const char *text)
{
    size_t units = 0;

    for (; *text != '\0'; text++) {
        units += units_of((unsigned char)*text);
    }
    return units;
}

static const char *escaped(facts_escape_fn escape, char c)
{
    return escape == NULL ? NULL : escape(c);
}

/* Bytes of text whose escaped form has at most max_units. */
static size_t fit(const char *text, size_t max_units, facts_escape_fn escape)
{
    size_t units = 0;
    size_t at = 0;

    while (text[at] != '\0') {
        const char *replacement = escaped(escape, text[at]);
        size_t end = at + 1;

        units += replacement == NULL ? units_of((unsigned char)text[at])
                                     : strlen(replacement);
        if (units > max_units) {
            return at;
        }
        while (((unsigned char)text[end] & 0xc0) == 0x80) {
            end++;
        }
        at = end;
    }
    return at;
}

const char *facts_escape_html(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\n':
        return "<br>";
    default:
        return NULL;
    }
}

void facts_add(struct lb_buf *out,
               const char *text,
               size_t max_units,
               facts_escape_fn escape)
{
    size_t len = fit(text, max_units, escape);
    bool is_cut = text[len] != '\0';

    len = is_cut ? fit(text, max_units - 1, escape) : len;
    for (size_t i = 0; i < len; i++) {
        const char *replacement = escaped(escape, text[i]);

        if (replacement == NULL) {
            lb_buf_add_char(out, text[i]);
        } else {
            lb_buf_add_text(out, replacement);
        }
    }
    if (is_cut) {
        lb_buf_add_text(out, ELLIPSIS);
    }
}

void facts_add_json(struct lb_buf *out,
                    const char *text,
                    size_t max_units,
                    facts_escape_fn escape)
{
    struct lb_buf cut;

    lb_buf_init(&cut, TEXT_BYTES);
    facts_add(&cut, text, max_units, escape);
    lb_json_add_plain_string(out, lb_buf_text(&cut));
    out->is_failed = out->is_failed || cut.is_failed;
    lb_buf_deinit(&cut);
}

/* --- contact
 * ---------------------------------------------------------------------- */

/* Takes the words out of the summary once; false: they are not in it. */
static bool take_out(cJSON *data, const char *words)
{
    cJSON *summary = cJSON_GetObjectItemCaseSensitive(data, "summary");
    const char *text = cJSON_IsString(summary) ? summary->valuestring : "";
    const char *at = strstr(text, words);
    struct lb_buf without;

    if (at == NULL || words[0] == '\0') {
        return false;
    }
    lb_buf_init(&without, TEXT_BYTES);
    lb_buf_add(&without, text, (size_t)(at - text));
    lb_buf_add_text(&without, at + strlen(words));
    (void)cJSON_SetValuestring(summary, lb_buf_text(&without));
    lb_buf_deinit(&without);
    return true;
}

/* A contact's value that is not to be told: a rule's own words may have it
 * anywhere, the usual ones have the name alone: "New lead on alice.bio: Zoe,
 * campaign spring". */
static void
forget_value(cJSON *data, bool is_templated, bool is_name, const char *value)
{
    struct lb_buf words;

    while (is_templated && take_out(data, value)) {
        continue;
    }
    if (!is_templated && is_name && value[0] != '\0') {
        lb_buf_init(&words, TEXT_BYTES);
        lb_buf_printf(&words, ": %s", value);
        (void)take_out(data, lb_buf_text(&words));
        lb_buf_deinit(&words);
    }
}

/* whole: the digest that tells of the alert among others, or NULL. */
static void
narrow_alert(const struct destination *destination, cJSON *data, cJSON *whole)
{
    static const char *const fields[] = {"email", "name", "message", "phone"};
    cJSON *event = cJSON_GetObjectItemCaseSensitive(data, "event");
    cJSON *contact = cJSON_GetObjectItemCaseSensitive(event, "contact");
    bool is_templated = lb_json_is_true(data, "templated");

    for (size_t i = 0;
         contact != NULL && i < sizeof(fields) / sizeof(fields[0]); i++) {
        const char *value = lb_json_text(contact, fields[i]);
        bool is_name = strcmp(fields[i], "name") == 0;

        if (value == NULL || destination_takes(destination, fields[i])) {
            continue;
        }
        forget_value(data, is_templated, is_name, value);
        if (whole != NULL) {
            forget_value(whole, is_templated, is_name, value);
        }
        cJSON_DeleteItemFromObjectCaseSensitive(contact, fields[i]);
    }
    if (contact != NULL && contact->child == NULL) {
        cJSON_DeleteItemFromObjectCaseSensitive(event, "contact");
    }
}

void facts_narrow(const struct destination *destination, cJSON *json)
{
    cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    cJSON *alerts = cJSON_GetObjectItemCaseSensitive(data, "alerts");
    cJSON *alert;

    narrow_alert(destination, data, NULL);
    cJSON_ArrayForEach (alert, alerts) {
        narrow_alert(destination, alert, data);
    }
}

void facts_reword(const struct destination *destination, cJSON *json)
{
    const char *words = lb_json_text(destination->body, "template");
    const char *type = lb_json_text(json, "type");
    cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    struct lb_buf text;

    if (words == NULL || data == NULL || type == NULL ||
        strcmp(type, "alert.digest") == 0) {
        return; /* of a digest each alert has its own */
    }
    lb_buf_init(&text, TEXT_BYTES);
    template_render(words, data, &text);
    cJSON_DeleteItemFromObjectCaseSensitive(data, "summary");
    cJSON_DeleteItemFromObjectCaseSensitive(data, "templated");
    (void)cJSON_AddStringToObject(data, "summary", lb_buf_text(&text));
    (void)cJSON_AddBoolToObject(data, "templated", true);
    lb_buf_deinit(&text);
}

/* --- a message
 * -------------------------------------------------------------------- */

static const char *event_title(const char *type)
{
    return strcmp(type, "lead") == 0    ? "New lead"
           : strcmp(type, "click") == 0 ? "Click"
           : strcmp(type, "view") == 0  ? "Visit"
                                        : "Conversion";
}

static const char *kind_title(const char *kind, const char *metric)
{
    static const struct {
        const char *kind;
        const char *metric; /* NULL: whatever it is */
        const char *title;
    } titles[] = {{"spike", "leads", "Lead spike"},
                  {"spike", "clicks", "Click spike"},
                  {"spike", "views", "View spike"},
                  {"spike", "conversions", "Conversion spike"},
                  {"spike", NULL, "Spike"},
                  {"threshold", NULL, "Threshold passed"},
                  {"first_seen", NULL, "First seen"},
                  {"drop", NULL, "Drop"},
                  {"ctr", NULL, "Click rate changed"},
                  {"milestone", NULL, "Milestone"},
                  {"burst", NULL, "Burst"},
                  {"absent", NULL, "Gone quiet"},
                  {"not_pulled", NULL, "Not pulled"}};

    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++) {
        if (strcmp(kind, titles[i].kind) == 0 &&
            (titles[i].metric == NULL ||
             strcmp(metric, titles[i].metric) == 0)) {
            return titles[i].title;
        }
    }
    return "Alert";
}

static void make_title(struct facts *facts)
{
    const char *kind = lb_json_text(facts->data, "kind");
    const char *metric = lb_json_text(facts->data, "metric");
    const char *site = lb_json_text(facts->data, "site");
    const char *type = lb_json_text(facts->event, "type");
    const char *what;

    if (strcmp(facts->type, "test") == 0) {
        what = "Test message";
    } else if (strcmp(facts->type, "alert.digest") == 0) {
        what = "Digest";
    } else if (kind != NULL && strcmp(kind, "event") == 0 && type != NULL) {
        what = event_title(type);
    } else {
        what =
            kind_title(kind == NULL ? "" : kind, metric == NULL ? "" : metric);
    }
    (void)snprintf(facts->title, sizeof(facts->title), "%s%s on %.80s",
                   strcmp(facts->type, "alert.resolved") == 0 ? "Resolved: "
                                                              : "",
                   what, site == NULL ? "linkbell" : site);
}

static void add_row(struct facts *facts, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0' && facts->row_count < FACTS_ROWS) {
        facts->rows[facts->row_count++] = (struct facts_row){name, value};
    }
}

static void add_rows(struct facts *facts)
{
    const cJSON *contact = get(facts->event, "contact");
    const char *link = lb_json_text(facts->event, "link");

    add_row(facts, "Email", facts->contact_email);
    add_row(facts, "Phone", lb_json_text(contact, "phone"));
    add_row(facts, "Message", lb_json_text(contact, "message"));
    add_row(facts, "Form", lb_json_text(facts->event, "name"));
    add_row(facts, "Link",
            link != NULL ? link
                         : lb_json_text(get(facts->data, "group"), "link"));
    add_row(facts, "Campaign", facts->campaign);
    add_row(facts, "Source", facts->source);
    add_row(facts, "Country", lb_json_text(facts->event, "country"));
    add_row(facts, "Rule", lb_json_text(facts->data, "rule"));
    add_row(facts, "Severity", lb_json_text(facts->data, "severity"));
}

enum lb_err facts_read(const struct destination *destination,
                       const struct destination_message *message,
                       struct facts *facts_out,
                       struct lb_error *err)
{
    cJSON *json = cJSON_Parse(message->body);
    const char *alert;

    memset(facts_out, 0, sizeof(*facts_out));
    facts_out->type = lb_json_text(json, "type");
    facts_out->data = get(json, "data");
    if (facts_out->data == NULL || facts_out->type == NULL) {
        cJSON_Delete(json);
        facts_out->json = NULL;
        return lb_err_set(err, LB_EFORMAT, "the stored message is damaged");
    }
    facts_narrow(destination, json);
    facts_reword(destination, json);
    (void)cJSON_AddStringToObject(json, "id", message->id);
    facts_out->json = json;
    facts_out->event = get(facts_out->data, "event");
    facts_out->timestamp = lb_json_text(json, "timestamp");
    alert = lb_json_text(facts_out->data, "alert");
    (void)snprintf(facts_out->alert, sizeof(facts_out->alert), "%s",
                   alert == NULL ? message->id : alert);
    facts_out->url = lb_json_text(facts_out->data, "dashboard_url");
    facts_out->contact_name =
        lb_json_text(get(facts_out->event, "contact"), "name");
    facts_out->contact_email =
        lb_json_text(get(facts_out->event, "contact"), "email");
    facts_out->campaign =
        lb_json_text(get(facts_out->event, "utm"), "campaign");
    facts_out->source = lb_json_text(facts_out->event, "source");
    make_title(facts_out);
    facts_out->summary = lb_json_text(facts_out->data, "summary");
    facts_out->is_templated = lb_json_is_true(facts_out->data, "templated");
    facts_out->summary = facts_out->summary == NULL || !facts_out->summary[0]
                             ? facts_out->title
                             : facts_out->summary;
    add_rows(facts_out);
    return LB_OK;
}

const cJSON *facts_find(const struct facts *facts, const char *path)
{
    const bool is_on_top = strcmp(path, "id") == 0 ||
                           strcmp(path, "type") == 0 ||
                           strcmp(path, "timestamp") == 0;
    const cJSON *at = is_on_top ? facts->json : facts->data;
    char key[64];

    while (at != NULL && path[0] != '\0') {
        size_t len = strcspn(path, ".");

        if (len >= sizeof(key)) {
            return NULL;
        }
        memcpy(key, path, len);
        key[len] = '\0';
        at = get(at, key);
        path += len + (path[len] == '.' ? 1 : 0);
    }
    if (at != NULL && cJSON_IsString(at)) {
        return at->valuestring[0] == '\0' ? NULL : at;
    }
    return cJSON_IsNumber(at) || cJSON_IsBool(at) ? at : NULL;
}

void facts_add_text(struct lb_buf *out,
                    const struct facts *facts,
                    size_t max_units,
                    facts_escape_fn escape)
{
    if (facts->contact_name == NULL || facts->is_templated) {
        facts_add(out, facts->summary, max_units, escape);
        return;
    }
    facts_add(out, facts->contact_name, max_units / 2, escape);
    if (facts->campaign != NULL) {
        lb_buf_add_text(out, ", campaign ");
        facts_add(out, facts->campaign, max_units / 4, escape);
    } else if (facts->source != NULL) {
        lb_buf_add_text(out, ", from ");
        facts_add(out, facts->source, max_units / 4, escape);
    }
}

void facts_free(struct facts *facts)
{
    cJSON_Delete(facts->json);
    facts->json = NULL;
}
