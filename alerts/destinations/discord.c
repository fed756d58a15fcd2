/* discord.c - an embed for Discord's webhooks.  Limits kept (Discord's
 * documentation): title 256, description 4,096, 25 fields of 256 and 1,024,
 * footer 2,048, all together 6,000. */
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

#define TITLE_UNITS 256
#define TEXT_UNITS 2000
#define VALUE_UNITS 300 /* 12 of them, title and text stay below 6,000 */
#define LONG_VALUE_UNITS 900
#define URL_UNITS 2000
#define RED 15158332
#define ORANGE 15105570
#define GREEN 3066993

/* Markdown as text; @everyone is held off by allowed_mentions. */
static const char *escape(char c)
{
    static const char special[] = "\\*_~|>[]`";
    static const char *const replacements[] = {
        "\\\\", "\\*", "\\_", "\\~", "\\|", "\\>", "\\[", "\\]", "\\`"};
    const char *at = c == '\0' ? NULL : strchr(special, c);

    return at == NULL ? NULL : replacements[at - special];
}

static int color_of(const cJSON *data)
{
    const char *severity = lb_json_text(data, "severity");

    if (severity != NULL && strcmp(severity, "critical") == 0) {
        return RED;
    }
    return severity != NULL && strcmp(severity, "warning") == 0 ? ORANGE
                                                                : GREEN;
}

static void add_fields(struct lb_buf *out, const struct facts *facts)
{
    lb_buf_add_text(out, ",\"fields\":[");
    for (size_t i = 0; i < facts->row_count; i++) {
        bool is_long = strcmp(facts->rows[i].name, "Message") == 0;

        lb_json_add_comma(out);
        lb_buf_printf(out, "{\"name\":\"%s\",\"value\":", facts->rows[i].name);
        facts_add_json(out, facts->rows[i].value,
                       is_long ? LONG_VALUE_UNITS : VALUE_UNITS, escape);
        lb_buf_printf(out, ",\"inline\":%s}", is_long ? "false" : "true");
    }
    lb_buf_add_char(out, ']');
}

static enum lb_err discord_render(const struct destination *destination,
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
    lb_buf_add_text(&request->url, strchr(destination->url, '?') == NULL
                                       ? "?wait=true"
                                       : "&wait=true");
    lb_buf_init(&text, 65536);
    lb_buf_add_text(out, "{\"username\":\"linkbell\",\"allowed_mentions\":{"
                         "\"parse\":[]},\"embeds\":[{\"title\":");
    facts_add_json(out, facts.title, TITLE_UNITS, escape);
    if (facts.url != NULL && facts_units(facts.url) <= URL_UNITS) {
        lb_json_add_key(out, "url");
        lb_json_add_plain_string(out, facts.url);
    }
    facts_add_text(&text, &facts, TEXT_UNITS, escape);
    lb_json_add_key(out, "description");
    lb_json_add_plain_string(out, lb_buf_text(&text));
    lb_buf_printf(out, ",\"color\":%d,\"timestamp\":", color_of(facts.data));
    lb_json_add_plain_string(out, facts.timestamp);
    add_fields(out, &facts);
    lb_buf_add_text(out, ",\"footer\":{\"text\":");
    lb_json_add_plain_string(out, message->id);
    lb_buf_add_text(out, "}}]}");
    lb_buf_deinit(&text);
    facts_free(&facts);
    return LB_OK;
}

static void discord_judge(const struct destination *destination,
                          const struct destination_message *message,
                          const struct destination_answer *answer,
                          struct destination_verdict *verdict)
{
    cJSON *json = cJSON_Parse(answer->body);
    const cJSON *wait = cJSON_GetObjectItemCaseSensitive(json, "retry_after");
    const char *id = lb_json_text(json, "id");

    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    if (answer->status == 400) {
        verdict->outcome = DESTINATION_PERMANENT;
    } else if (answer->status == 401 || answer->status == 403 ||
               answer->status == 404) {
        verdict->outcome = DESTINATION_DISABLE;
    }
    if (answer->status == 429 && cJSON_IsNumber(wait) &&
        wait->valuedouble * 1000 > (double)verdict->wait_ms &&
        wait->valuedouble < 86400) {
        verdict->wait_ms = (int64_t)(wait->valuedouble * 1000) + 1;
    }
    if (answer->reset_after_ms > verdict->wait_ms) {
        verdict->wait_ms = answer->reset_after_ms;
    }
    if (verdict->outcome == DESTINATION_SUCCESS && id != NULL) {
        (void)snprintf(verdict->remote_id, sizeof(verdict->remote_id), "%.40s",
                       id);
    }
    cJSON_Delete(json);
}

const struct destination_type discord_type = {.name = "discord",
                                              .place = DESTINATION_SECRET_URL,
                                              .rate = "30/m",
                                              .may_digest = true,
                                              .render = discord_render,
                                              .judge = discord_judge};
