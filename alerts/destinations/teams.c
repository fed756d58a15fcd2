/* teams.c - an Adaptive Card for a Teams workflow ("When a Teams webhook
 * request is received").  The service takes 28 KB, about 21 KB were seen to
 * work: cards stay under 20 KB. */
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

#define TITLE_UNITS 300
#define TEXT_UNITS 1500
#define VALUE_UNITS 400
#define LONG_VALUE_UNITS 1500
#define CARD_BYTES ((size_t)20 * 1000)

/* TextBlock knows a part of Markdown. */
static const char *escape(char c)
{
    static const char special[] = "\\*_[]()#`";
    static const char *const replacements[] = {
        "\\\\", "\\*", "\\_", "\\[", "\\]", "\\(", "\\)", "\\#", "\\`"};
    const char *at = c == '\0' ? NULL : strchr(special, c);

    return at == NULL ? NULL : replacements[at - special];
}

static void add_fact(struct lb_buf *out,
                     const char *name,
                     const char *value,
                     size_t max_units)
{
    if (value == NULL) {
        return;
    }
    lb_json_add_comma(out);
    lb_buf_printf(out, "{\"title\":\"%s\",\"value\":", name);
    facts_add_json(out, value, max_units, escape);
    lb_buf_add_char(out, '}');
}

/* divisor shortens what is long. */
static void add_card(struct lb_buf *out,
                     const struct facts *facts,
                     const char *id,
                     size_t divisor)
{
    lb_buf_add_text(
        out,
        "{\"type\":\"message\",\"attachments\":[{\"contentType\":"
        "\"application/vnd.microsoft.card.adaptive\",\"contentUrl\":null,"
        "\"content\":{\"$schema\":\"http://adaptivecards.io/schemas/"
        "adaptive-card.json\",\"type\":\"AdaptiveCard\",\"version\":\"1.4\","
        "\"body\":[{\"type\":\"TextBlock\",\"size\":\"Large\",\"weight\":"
        "\"Bolder\",\"wrap\":true,\"text\":");
    facts_add_json(out, facts->title, TITLE_UNITS, escape);
    if (facts->contact_name == NULL || facts->is_templated) {
        lb_buf_add_text(out,
                        "},{\"type\":\"TextBlock\",\"wrap\":true,\"text\":");
        facts_add_json(out, facts->summary, TEXT_UNITS / divisor, escape);
    }
    lb_buf_add_text(out, "},{\"type\":\"FactSet\",\"facts\":[");
    add_fact(out, "Name", facts->contact_name, VALUE_UNITS / divisor);
    for (size_t i = 0; i < facts->row_count; i++) {
        add_fact(out, facts->rows[i].name, facts->rows[i].value,
                 (strcmp(facts->rows[i].name, "Message") == 0 ? LONG_VALUE_UNITS
                                                              : VALUE_UNITS) /
                     divisor);
    }
    add_fact(out, "Id", id, VALUE_UNITS);
    lb_buf_add_text(out, "]}]");
    if (facts->url != NULL) {
        lb_buf_add_text(out, ",\"actions\":[{\"type\":\"Action.OpenUrl\","
                             "\"title\":\"Open in linkbell\",\"url\":");
        lb_json_add_plain_string(out, facts->url);
        lb_buf_add_text(out, "}]");
    }
    lb_buf_add_text(out, "}}]}");
}

static enum lb_err teams_render(const struct destination *destination,
                                const struct destination_message *message,
                                struct destination_request *request,
                                struct lb_error *err)
{
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    for (size_t divisor = 1; divisor <= 8; divisor *= 2) {
        lb_buf_clear(&request->body);
        add_card(&request->body, &facts, message->id, divisor);
        if (request->body.len <= CARD_BYTES) {
            break;
        }
    }
    facts_free(&facts);
    return LB_OK;
}

static void teams_judge(const struct destination *destination,
                        const struct destination_message *message,
                        const struct destination_answer *answer,
                        struct destination_verdict *verdict)
{
    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    switch (answer->status) {
    case 200:
        /* Connectors of old answered so for what they refused. */
        if (strstr(answer->body, "HTTP error 413") != NULL) {
            verdict->outcome = DESTINATION_PERMANENT;
        } else if (strstr(answer->body, "HTTP error 429") != NULL) {
            verdict->outcome = DESTINATION_THROTTLED;
        }
        break;
    case 400:
        verdict->outcome = DESTINATION_PERMANENT;
        break;
    case 401:
    case 403:
    case 404:
    case 410:
        verdict->outcome = DESTINATION_DISABLE;
        break;
    default:
        break;
    }
}

const struct destination_type teams_type = {.name = "teams",
                                            .place = DESTINATION_SECRET_URL,
                                            .rate = "1/s",
                                            .may_digest = true,
                                            .render = teams_render,
                                            .judge = teams_judge};
