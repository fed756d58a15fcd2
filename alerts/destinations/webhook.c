/* webhook.c - the message as it is, signed as Standard Webhooks 1.0.0 has it
 * (standardwebhooks.com). */
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

static const char *const keys[] = {"unsigned", "headers_env", NULL};

#define STREAM_ROWS 1000
#define STREAM_BYTES ((size_t)1024 * 1024 - 4096) /* a body of 1 MiB */

/* {"type":"event.batch","timestamp":..,"data":{"batch":..,"events":[..]}} */
static enum lb_err add_rows(const struct destination_message *message,
                            struct lb_buf *out,
                            struct lb_error *err)
{
    cJSON *json = cJSON_Parse(message->body);
    const char *timestamp = lb_json_text(json, "timestamp");

    lb_buf_add_text(out, "{\"type\":\"event.batch\",\"timestamp\":");
    lb_json_add_string(out, timestamp);
    lb_buf_add_text(out, ",\"data\":{\"batch\":");
    lb_json_add_string(out, message->id);
    lb_buf_add_text(out, ",\"events\":[");
    for (size_t i = 0; i < message->rows->count; i++) {
        lb_buf_add_text(out, i == 0 ? "" : ",");
        lb_buf_add_text(out, message->rows->lines[i]);
    }
    lb_buf_add_text(out, "]}}");
    cJSON_Delete(json);
    return out->is_failed ? lb_err_set(err, LB_ELIMIT, "it is too long")
                          : LB_OK;
}

static enum lb_err webhook_render(const struct destination *destination,
                                  const struct destination_message *message,
                                  struct destination_request *request,
                                  struct lb_error *err)
{
    cJSON *json;

    if (message->rows != NULL) {
        enum lb_err rc = add_rows(message, &request->body, err);

        destination_add_signature(destination, message, &request->body,
                                  &request->headers);
        return rc;
    }
    if (cJSON_GetObjectItemCaseSensitive(destination->body, "contact") ==
            NULL &&
        lb_json_text(destination->body, "template") == NULL) {
        lb_buf_add_text(&request->body, message->body);
    } else {
        json = cJSON_Parse(message->body);
        if (json == NULL) {
            return lb_err_set(err, LB_EFORMAT, "the stored message is damaged");
        }
        facts_narrow(destination, json);
        facts_reword(destination, json);
        lb_json_add_item(&request->body, json);
        cJSON_Delete(json);
    }
    destination_add_signature(destination, message, &request->body,
                              &request->headers);
    return LB_OK;
}

static void webhook_judge(const struct destination *destination,
                          const struct destination_message *message,
                          const struct destination_answer *answer,
                          struct destination_verdict *verdict)
{
    (void)destination;
    (void)message;
    destination_judge(answer, verdict);
    if (answer->status == 410) {
        verdict->outcome = DESTINATION_DISABLE;
    }
}

const struct destination_type webhook_type = {.name = "webhook",
                                              .place = DESTINATION_URL,
                                              .keys = keys,
                                              .stream_rows = STREAM_ROWS,
                                              .stream_bytes = STREAM_BYTES,
                                              .may_digest = true,
                                              .render = webhook_render,
                                              .judge = webhook_judge};
