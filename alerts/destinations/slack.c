/* slack.c - Block Kit for Slack's incoming webhooks.  Limits kept (Slack's
 * documentation): header 150 characters, section text 3,000, 10 fields of
 * 2,000, and all together below the 13,200 at which messages were refused. */
#include <stdio.h>
#include <string.h>

#include "alerts/alert_links.h"
#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

#define DIGEST_SECTIONS 40 /* of the 50 blocks of a message */
#define DIGEST_UNITS 250
#define HEADER_UNITS 150
#define SECTION_UNITS 1500
#define FIELD_UNITS 700
#define LONG_FIELD_UNITS 1500
#define FIELDS_MAX 10
#define URL_UNITS 2000
#define MENTION_UNITS 100
#define BUTTON_URL_UNITS 3000

static const char *const keys[] = {"mention", NULL};

/* Slack's escapes; a lead named <!channel> stays text. */
static const char *escape(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    default:
        return NULL;
    }
}

/* "*Zoe* came from campaign spring", or the summary. */
static void add_text(struct lb_buf *out, const struct facts *facts)
{
    if (facts->contact_name == NULL || facts->is_templated) {
        facts_add(out, facts->summary, SECTION_UNITS, escape);
        return;
    }
    lb_buf_add_char(out, '*');
    facts_add(out, facts->contact_name, SECTION_UNITS / 2, escape);
    lb_buf_add_text(out, facts->campaign != NULL ? "* came from campaign "
                                                 : "* came from ");
    facts_add(out,
              facts->campaign != NULL ? facts->campaign
              : facts->source == NULL ? "nowhere known"
                                      : facts->source,
              SECTION_UNITS / 4, escape);
}

/* The owner's own words, not a stranger's: they stand as they are. */
static void add_mention(struct lb_buf *out,
                        const struct destination *destination,
                        const struct facts *facts)
{
    const char *severity = lb_json_text(facts->data, "severity");
    const char *mention = severity == NULL
                              ? NULL
                              : lb_json_text(cJSON_GetObjectItemCaseSensitive(
                                                 destination->body, "mention"),
                                             severity);

    if (mention != NULL) {
        facts_add(out, mention, MENTION_UNITS, NULL);
        lb_buf_add_char(out, ' ');
    }
}

static void add_fields(struct lb_buf *out, const struct facts *facts)
{
    struct lb_buf text;

    for (size_t i = 0; i < facts->row_count && i < FIELDS_MAX; i++) {
        lb_buf_init(&text, 65536);
        lb_buf_printf(&text, "*%s*\n", facts->rows[i].name);
        facts_add(&text, facts->rows[i].value,
                  strcmp(facts->rows[i].name, "Message") == 0 ? LONG_FIELD_UNITS
                                                              : FIELD_UNITS,
                  escape);
        lb_json_add_comma(out);
        lb_buf_add_text(out, "{\"type\":\"mrkdwn\",\"text\":");
        lb_json_add_plain_string(out, lb_buf_text(&text));
        lb_buf_add_char(out, '}');
        lb_buf_deinit(&text);
    }
}

/* One section an alert; the facts' text says it all where they are few. */
static void add_alerts(struct lb_buf *out, const struct facts *facts)
{
    const cJSON *alerts =
        cJSON_GetObjectItemCaseSensitive(facts->data, "alerts");
    int64_t count = lb_json_int(facts->data, "count");
    const cJSON *alert;
    int64_t shown = 0;
    struct lb_buf text;

    cJSON_ArrayForEach (alert, alerts) {
        const char *summary = lb_json_text(alert, "summary");

        if (shown == DIGEST_SECTIONS) {
            break;
        }
        lb_buf_init(&text, 65536);
        facts_add(&text, summary == NULL ? "an alert" : summary, DIGEST_UNITS,
                  escape);
        lb_buf_add_text(out, ",{\"type\":\"section\",\"text\":{\"type\":"
                             "\"mrkdwn\",\"text\":");
        lb_json_add_plain_string(out, lb_buf_text(&text));
        lb_buf_add_text(out, "}}");
        lb_buf_deinit(&text);
        shown++;
    }
    if (count > shown) {
        lb_buf_printf(out,
                      ",{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\","
                      "\"text\":\"and %lld more\"}}",
                      (long long)(count - shown));
    }
}

static void
add_context(struct lb_buf *out, const struct facts *facts, const char *id)
{
    struct lb_buf text;

    lb_buf_init(&text, 65536);
    if (facts->url != NULL && facts_units(facts->url) <= URL_UNITS / 2) {
        lb_buf_add_char(&text, '<');
        facts_add(&text, facts->url, URL_UNITS, escape);
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

static void add_button(struct lb_buf *out, const char *label, const char *url)
{
    if (strncmp(url, "http", 4) != 0 || facts_units(url) > BUTTON_URL_UNITS) {
        return;
    }
    lb_json_add_comma(out);
    lb_buf_printf(out,
                  "{\"type\":\"button\",\"text\":{\"type\":\"plain_text\","
                  "\"text\":\"%s\"},\"url\":",
                  label);
    lb_json_add_plain_string(out, url);
    lb_buf_add_char(out, '}');
}

/* Links, since an incoming webhook has no way back: pages that ask. */
static void add_buttons(struct lb_buf *out,
                        const struct facts *facts,
                        const struct destination_message *message)
{
    static const char *const acts[][2] = {{"ack", "Acknowledge"},
                                          {"mute", "Mute"}};
    const char *kind = lb_json_text(facts->data, "kind");
    /* The service's own alerts are of no rule that could be muted. */
    size_t act_count = kind != NULL && strcmp(kind, "system") == 0 ? 1 : 2;
    struct lb_buf url;

    lb_buf_add_text(out, ",{\"type\":\"actions\",\"elements\":[");
    if (facts->url != NULL) {
        add_button(out, "See the numbers", facts->url);
    }
    for (size_t i = 0; i < act_count; i++) {
        lb_buf_init(&url, 65536);
        alert_links_add(message->links, facts->alert, acts[i][0],
                        message->now_s, &url);
        add_button(out, acts[i][1], lb_buf_text(&url));
        lb_buf_deinit(&url);
    }
    lb_buf_add_text(out, "]}");
}

static enum lb_err slack_render(const struct destination *destination,
                                const struct destination_message *message,
                                struct destination_request *request,
                                struct lb_error *err)
{
    struct lb_buf *out = &request->body;
    struct lb_buf text;
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_init(&text, 65536);
    add_mention(&text, destination, &facts);
    facts_add(&text, facts.summary, SECTION_UNITS, escape);
    lb_buf_add_text(out, "{\"text\":");
    lb_json_add_plain_string(out, lb_buf_text(&text));
    lb_buf_add_text(
        out,
        ",\"unfurl_links\":false,\"unfurl_media\":false,\"blocks\":[{\"type\":"
        "\"header\",\"text\":{\"type\":\"plain_text\",\"text\":");
    facts_add_json(out, facts.title, HEADER_UNITS, NULL);
    lb_buf_add_text(out, ",\"emoji\":true}},{\"type\":\"section\",\"text\":{"
                         "\"type\":\"mrkdwn\",\"text\":");
    lb_buf_clear(&text);
    add_mention(&text, destination, &facts);
    if (strcmp(facts.type, "alert.digest") == 0) {
        char first[FACTS_TITLE_BYTES];

        (void)snprintf(first, sizeof(first), "%.*s",
                       (int)strcspn(facts.summary, "\n"), facts.summary);
        facts_add(&text, first, SECTION_UNITS, escape);
    } else {
        add_text(&text, &facts);
    }
    lb_json_add_plain_string(out, lb_buf_text(&text));
    lb_buf_add_text(out, "}}");
    if (strcmp(facts.type, "alert.digest") == 0) {
        add_alerts(out, &facts);
    } else if (facts.row_count > 0) {
        lb_buf_add_text(out, ",{\"type\":\"section\",\"fields\":[");
        add_fields(out, &facts);
        lb_buf_add_text(out, "]}");
    }
    if (strcmp(facts.type, "alert.fired") == 0 && message->links != NULL) {
        add_buttons(out, &facts, message);
    }
    add_context(out, &facts, message->id);
    lb_buf_add_text(out, "]}");
    lb_buf_deinit(&text);
    facts_free(&facts);
    return LB_OK;
}

static void slack_judge(const struct destination *destination,
                        const struct destination_message *message,
                        const struct destination_answer *answer,
                        struct destination_verdict *verdict)
{
    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    switch (answer->status) {
    case 400:
        verdict->outcome = DESTINATION_PERMANENT;
        break;
    case 403:
        verdict->outcome = DESTINATION_AUTH;
        break;
    case 404:
    case 410:
        verdict->outcome = DESTINATION_DISABLE;
        break;
    default:
        break;
    }
}

const struct destination_type slack_type = {.name = "slack",
                                            .place = DESTINATION_SECRET_URL,
                                            .rate = "1/s",
                                            .merges_over = 10,
                                            .keys = keys,
                                            .may_digest = true,
                                            .render = slack_render,
                                            .judge = slack_judge};
