/* slack.c - Block Kit for Slack's incoming webhooks.  Limits kept (Slack's
 * documentation): header 150 characters, section text 3,000, 10 fields of
 * 2,000. */
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "base/json.h"
#include "base/text.h"

#define HEADER_BYTES 150
#define SECTION_BYTES 2900
#define FIELD_BYTES 1900

/* Slack's escapes; a lead named <!channel> stays text. */
static void add_escaped(struct lb_buf *out, const char *text, size_t max_bytes)
{
    size_t len = lb_text_cut(text, strlen(text), max_bytes);

    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            lb_buf_add_text(out, "&amp;");
            break;
        case '<':
            lb_buf_add_text(out, "&lt;");
            break;
        case '>':
            lb_buf_add_text(out, "&gt;");
            break;
        default:
            lb_buf_add_char(out, text[i]);
            break;
        }
    }
    if (len < strlen(text)) {
        lb_buf_add_text(out, "\xe2\x80\xa6");
    }
}

static void add_field(struct lb_buf *out, const char *title, const char *value)
{
    struct lb_buf text;

    if (value == NULL) {
        return;
    }
    lb_buf_init(&text, 16384);
    lb_buf_printf(&text, "*%s*\n", title);
    add_escaped(&text, value, FIELD_BYTES);
    lb_json_add_comma(out);
    lb_buf_add_text(out, "{\"type\":\"mrkdwn\",\"text\":");
    lb_json_add_plain_string(out, lb_buf_text(&text));
    lb_buf_add_char(out, '}');
    lb_buf_deinit(&text);
}

static void make_title(const cJSON *data, char *out, size_t out_bytes)
{
    const char *kind = lb_json_text(data, "kind");
    const char *site = lb_json_text(data, "site");
    const char *type =
        lb_json_text(cJSON_GetObjectItemCaseSensitive(data, "event"), "type");
    const char *what = "Alert";

    if (kind != NULL && strcmp(kind, "threshold") == 0) {
        what = "Threshold passed";
    } else if (kind != NULL && strcmp(kind, "first_seen") == 0) {
        what = "First seen";
    } else if (type != NULL) {
        what = strcmp(type, "lead") == 0    ? "New lead"
               : strcmp(type, "click") == 0 ? "Click"
               : strcmp(type, "view") == 0  ? "Visit"
                                            : "Conversion";
    }
    (void)snprintf(out, out_bytes, "%s on %.80s", what,
                   site == NULL ? "" : site);
}

/* "*Zoe* came from campaign spring", or the summary. */
static void make_text(const cJSON *data, struct lb_buf *out)
{
    const cJSON *event = cJSON_GetObjectItemCaseSensitive(data, "event");
    const char *name = lb_json_text(
        cJSON_GetObjectItemCaseSensitive(event, "contact"), "name");
    const char *campaign = lb_json_text(
        cJSON_GetObjectItemCaseSensitive(event, "utm"), "campaign");
    const char *source = lb_json_text(event, "source");
    const char *summary = lb_json_text(data, "summary");

    if (name == NULL) {
        add_escaped(out, summary == NULL ? "" : summary, SECTION_BYTES);
        return;
    }
    lb_buf_add_char(out, '*');
    add_escaped(out, name, 256);
    lb_buf_add_text(out, campaign != NULL ? "* came from campaign "
                                          : "* came from ");
    add_escaped(out,
                campaign != NULL ? campaign
                : source == NULL ? "nowhere known"
                                 : source,
                256);
}

static void add_fields(struct lb_buf *out, const cJSON *data)
{
    const cJSON *event = cJSON_GetObjectItemCaseSensitive(data, "event");
    const cJSON *contact = cJSON_GetObjectItemCaseSensitive(event, "contact");
    const char *link = lb_json_text(event, "link");

    add_field(out, "Rule", lb_json_text(data, "rule"));
    add_field(out, "Email", lb_json_text(contact, "email"));
    add_field(out, "Form", lb_json_text(event, "name"));
    add_field(out, "Link",
              link != NULL ? link
                           : lb_json_text(cJSON_GetObjectItemCaseSensitive(
                                              data, "group"),
                                          "link"));
    add_field(out, "Campaign",
              lb_json_text(cJSON_GetObjectItemCaseSensitive(event, "utm"),
                           "campaign"));
    add_field(out, "Source", lb_json_text(event, "source"));
    add_field(out, "Country", lb_json_text(event, "country"));
    add_field(out, "Severity", lb_json_text(data, "severity"));
}

static void add_context(struct lb_buf *out, const cJSON *data, const char *id)
{
    const char *url = lb_json_text(data, "dashboard_url");
    struct lb_buf text;

    lb_buf_init(&text, 16384);
    if (url != NULL) {
        lb_buf_add_char(&text, '<');
        add_escaped(&text, url, 2000);
        lb_buf_add_text(&text, "|Open in linkbell> \xc2\xb7 ");
    }
    lb_buf_add_text(&text, id);
    lb_buf_add_text(
        out,
        ",{\"type\":\"context\",\"elements\":[{\"type\":\"mrkdwn\",\"text\":");
    lb_json_add_plain_string(out, lb_buf_text(&text));
    lb_buf_add_text(out, "}]}");
    lb_buf_deinit(&text);
}

static enum lb_err slack_render(const struct destination *destination,
                                const struct destination_message *message,
                                struct lb_buf *body,
                                struct lb_buf *headers,
                                struct lb_error *err)
{
    cJSON *json = cJSON_Parse(message->body);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    const char *summary = lb_json_text(data, "summary");
    char title[HEADER_BYTES];
    struct lb_buf text;

    (void)destination;
    (void)headers;
    if (data == NULL) {
        cJSON_Delete(json);
        return lb_err_set(err, LB_EFORMAT, "the stored message is damaged");
    }
    lb_buf_init(&text, 65536);
    make_title(data, title, sizeof(title));
    add_escaped(&text, summary == NULL ? title : summary, SECTION_BYTES);
    lb_buf_add_text(body, "{\"text\":");
    lb_json_add_plain_string(body, lb_buf_text(&text));
    lb_buf_add_text(
        body,
        ",\"unfurl_links\":false,\"unfurl_media\":false,\"blocks\":[{\"type\":"
        "\"header\",\"text\":{\"type\":\"plain_text\",\"text\":");
    lb_json_add_plain_string(body, title);
    lb_buf_add_text(body, ",\"emoji\":true}},{\"type\":\"section\",\"text\":{"
                          "\"type\":\"mrkdwn\",\"text\":");
    lb_buf_clear(&text);
    make_text(data, &text);
    lb_json_add_plain_string(body, lb_buf_text(&text));
    lb_buf_add_text(body, "}},{\"type\":\"section\",\"fields\":[");
    add_fields(body, data);
    lb_buf_add_text(body, "]}");
    add_context(body, data, message->id);
    lb_buf_add_text(body, "]}");
    lb_buf_deinit(&text);
    cJSON_Delete(json);
    return body->is_failed ? LB_ELIMIT : LB_OK;
}

static enum destination_outcome slack_judge(int status)
{
    if (status >= 200 && status < 300) {
        return DESTINATION_SUCCESS;
    }
    return status == 400 || status == 404 || status == 410 || status == 413
               ? DESTINATION_PERMANENT
               : DESTINATION_RETRY;
}

const struct destination_type slack_type = {"slack", slack_render, slack_judge};
