/* webhook.c - the message as it is, signed as Standard Webhooks 1.0.0 has it
 * (standardwebhooks.com). */
#include <string.h>

#include "alerts/destination.h"
#include "alerts/facts.h"
#include "base/json.h"

static const char *const keys[] = {"unsigned", "headers_env", NULL};

static enum lb_err webhook_render(const struct destination *destination,
                                  const struct destination_message *message,
                                  struct destination_request *request,
                                  struct lb_error *err)
{
    cJSON *json;

    if (cJSON_GetObjectItemCaseSensitive(destination->body, "contact") ==
        NULL) {
        lb_buf_add_text(&request->body, message->body);
    } else {
        json = cJSON_Parse(message->body);
        if (json == NULL) {
            return lb_err_set(err, LB_EFORMAT, "the stored message is damaged");
        }
        facts_narrow(destination, json);
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
                                              .render = webhook_render,
                                              .judge = webhook_judge};
