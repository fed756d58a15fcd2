/* telegram.c - sendMessage of Telegram's Bot API with HTML.  A text has 4,096
 * UTF-16 code units at most, entities not counted; here they are. */
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

#define NAME_UNITS 300
#define TEXT_UNITS 1500
#define LONG_UNITS 1200
#define LINK_UNITS 600
#define LINK_ESCAPED_UNITS 1200
#define MOVED 1 /* the step that sends to the new chat */

static const char *const keys[] = {"chat", "token_env", "token_file", NULL};
static const char *const needs[] = {"chat", NULL};

static const char *escape(char c)
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
    default:
        return NULL;
    }
}

/* Groups, whose ids are negative, take less. */
static const char *rate_of(const cJSON *body)
{
    const cJSON *chat = cJSON_GetObjectItemCaseSensitive(body, "chat");
    bool is_group = cJSON_IsNumber(chat)
                        ? chat->valuedouble < 0
                        : cJSON_IsString(chat) && chat->valuestring[0] == '-';

    return is_group ? "20/m" : "1/s";
}

static void add_who(struct lb_buf *out, const struct facts *facts)
{
    const char *long_text = lb_json_text(
        cJSON_GetObjectItemCaseSensitive(facts->event, "contact"), "message");
    bool has_name = facts->contact_name != NULL && !facts->is_templated;

    if (!has_name) {
        facts_add(out, facts->summary, TEXT_UNITS, escape);
    } else {
        facts_add(out, facts->contact_name, NAME_UNITS, escape);
    }
    if (facts->contact_email != NULL) {
        lb_buf_add_text(out, has_name ? ", " : "\n");
        facts_add(out, facts->contact_email, NAME_UNITS, escape);
    }
    if (has_name && facts->campaign != NULL) {
        lb_buf_add_text(out, "\ncampaign ");
        facts_add(out, facts->campaign, NAME_UNITS, escape);
    }
    if (long_text != NULL) {
        lb_buf_add_char(out, '\n');
        facts_add(out, long_text, LONG_UNITS, escape);
    }
}

static void
add_text(struct lb_buf *out, const struct facts *facts, const char *id)
{
    lb_buf_add_text(out, "<b>");
    facts_add(out, facts->title, NAME_UNITS, escape);
    lb_buf_add_text(out, "</b>\n");
    add_who(out, facts);
    if (facts->url != NULL && facts_units(facts->url) <= LINK_UNITS) {
        lb_buf_add_text(out, "\n<a href=\"");
        facts_add(out, facts->url, LINK_ESCAPED_UNITS, escape);
        lb_buf_add_text(out, "\">Open in linkbell</a>");
    }
    lb_buf_add_text(out, "\n<code>");
    facts_add(out, id, 64, escape);
    lb_buf_add_text(out, "</code>");
}

static enum lb_err telegram_render(const struct destination *destination,
                                   const struct destination_message *message,
                                   struct destination_request *request,
                                   struct lb_error *err)
{
    const cJSON *chat =
        cJSON_GetObjectItemCaseSensitive(destination->body, "chat");
    struct lb_buf text;
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_printf(&request->url, "/bot%s/sendMessage", destination->token);
    lb_buf_add_text(&request->body, "{\"chat_id\":");
    if (message->step == MOVED) {
        lb_json_add_plain_string(&request->body, message->remote_id);
    } else if (cJSON_IsString(chat)) {
        lb_json_add_plain_string(&request->body, chat->valuestring);
    } else {
        lb_buf_printf(&request->body, "\"%.0f\"",
                      cJSON_IsNumber(chat) ? chat->valuedouble : 0.0);
    }
    lb_buf_add_text(&request->body,
                    ",\"parse_mode\":\"HTML\",\"link_preview_options\":{"
                    "\"is_disabled\":true},\"text\":");
    lb_buf_init(&text, 65536);
    add_text(&text, &facts, message->id);
    lb_json_add_plain_string(&request->body, lb_buf_text(&text));
    lb_buf_add_char(&request->body, '}');
    lb_buf_deinit(&text);
    facts_free(&facts);
    return LB_OK;
}

static void judge_refusal(const struct destination_message *message,
                          int code,
                          const cJSON *parameters,
                          struct destination_verdict *verdict)
{
    const cJSON *chat =
        cJSON_GetObjectItemCaseSensitive(parameters, "migrate_to_chat_id");
    int64_t retry_after_s = lb_json_int(parameters, "retry_after");

    switch (code) {
    case 429:
        verdict->outcome = DESTINATION_THROTTLED;
        verdict->wait_ms = retry_after_s > 0 && retry_after_s <= 86400
                               ? retry_after_s * 1000
                               : verdict->wait_ms;
        break;
    case 400:
        verdict->outcome = DESTINATION_PERMANENT;
        if (cJSON_IsNumber(chat) && message->step == 0) {
            verdict->outcome = DESTINATION_NEXT;
            verdict->next_step = MOVED;
            (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id),
                           "%.0f", chat->valuedouble);
        }
        break;
    case 401:
    case 404:
        verdict->outcome = DESTINATION_AUTH;
        break;
    case 403:
        verdict->outcome = DESTINATION_DISABLE;
        break;
    default:
        break;
    }
}

static void telegram_judge(const struct destination *destination,
                           const struct destination_message *message,
                           const struct destination_answer *answer,
                           struct destination_verdict *verdict)
{
    cJSON *json = cJSON_Parse(answer->body);
    int64_t code = lb_json_int(json, "error_code");

    (void)destination;
    destination_judge(answer, verdict);
    if (verdict->outcome == DESTINATION_SUCCESS) {
        verdict->outcome = DESTINATION_RETRY;
    }
    if (lb_json_is_true(json, "ok")) {
        verdict->outcome = DESTINATION_SUCCESS;
        (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%lld",
                       (long long)lb_json_int(
                           cJSON_GetObjectItemCaseSensitive(json, "result"),
                           "message_id"));
    } else if (answer->status != 0) {
        judge_refusal(
            message, code >= 400 && code < 600 ? (int)code : answer->status,
            cJSON_GetObjectItemCaseSensitive(json, "parameters"), verdict);
    }
    cJSON_Delete(json);
}

const struct destination_type telegram_type = {.name = "telegram",
                                               .place = DESTINATION_SERVICE,
                                               .service =
                                                   "https://api.telegram.org",
                                               .token = "token",
                                               .rate_of = rate_of,
                                               .keys = keys,
                                               .needs = needs,
                                               .needs_body = true,
                                               .may_digest = true,
                                               .render = telegram_render,
                                               .judge = telegram_judge};
