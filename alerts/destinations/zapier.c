/* zapier.c - one flat object for a Zap's catch hook, whose field picker shows
 * flat keys: nested ones are joined by "__", null is "". */
#include <stdio.h>
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

#define DEPTH_MAX 8

static const char *const keys[] = {"headers_env", NULL};

static void
add_flat(struct lb_buf *out, const char *prefix, const cJSON *item, int depth)
{
    const cJSON *child;
    size_t index = 0;

    if (!cJSON_IsObject(item) && !cJSON_IsArray(item)) {
        lb_json_add_comma(out);
        lb_json_add_plain_string(out, prefix);
        lb_buf_add_char(out, ':');
        if (cJSON_IsNull(item)) {
            lb_buf_add_text(out, "\"\"");
        } else {
            lb_json_add_item(out, item);
        }
        return;
    }
    cJSON_ArrayForEach (child, item) {
        struct lb_buf name;

        lb_buf_init(&name, 4096);
        lb_buf_printf(&name, "%s%s", prefix, prefix[0] == '\0' ? "" : "__");
        if (child->string != NULL) {
            lb_buf_add_text(&name, child->string);
        } else {
            lb_buf_add_int(&name, (int64_t)index);
        }
        index++;
        /* The message's id stands on top. */
        if (depth < DEPTH_MAX && strcmp(lb_buf_text(&name), "alert") != 0) {
            add_flat(out, lb_buf_text(&name), child, depth + 1);
        }
        lb_buf_deinit(&name);
    }
}

static enum lb_err zapier_render(const struct destination *destination,
                                 const struct destination_message *message,
                                 struct destination_request *request,
                                 struct lb_error *err)
{
    struct facts facts;
    enum lb_err rc = facts_read(destination, message, &facts, err);

    if (rc != LB_OK) {
        return rc;
    }
    lb_buf_add_text(&request->body, "{\"id\":");
    lb_json_add_plain_string(&request->body, message->id);
    lb_buf_add_text(&request->body, ",\"type\":");
    lb_json_add_plain_string(&request->body, facts.type);
    lb_buf_add_text(&request->body, ",\"timestamp\":");
    lb_json_add_plain_string(&request->body, facts.timestamp);
    add_flat(&request->body, "", facts.data, 0);
    lb_buf_add_char(&request->body, '}');
    if (destination->secret_count > 0) {
        destination_add_signature(destination, message, &request->body,
                                  &request->headers);
    }
    facts_free(&facts);
    return LB_OK;
}

static void zapier_judge(const struct destination *destination,
                         const struct destination_message *message,
                         const struct destination_answer *answer,
                         struct destination_verdict *verdict)
{
    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    if (answer->status == 410) { /* the Zap is off */
        verdict->outcome = DESTINATION_DISABLE;
    }
}

const struct destination_type zapier_type = {.name = "zapier",
                                             .place = DESTINATION_SECRET_URL,
                                             .rate = "5/s",
                                             .keys = keys,
                                             .render = zapier_render,
                                             .judge = zapier_judge};
