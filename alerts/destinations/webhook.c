/* webhook.c - the message as it is, signed as Standard Webhooks 1.0.0 has it
 * (standardwebhooks.com). */
#include <inttypes.h>
#include <string.h>

#include "alerts/destination.h"

static enum lb_err webhook_render(const struct destination *destination,
                                  const struct destination_message *message,
                                  struct lb_buf *body,
                                  struct lb_buf *headers,
                                  struct lb_error *err)
{
    (void)err;
    lb_buf_add_text(body, message->body);
    lb_buf_printf(headers, "webhook-id: %s\nwebhook-timestamp: %" PRId64 "\n",
                  message->id, message->now_s);
    if (destination->secret_count > 0) {
        lb_buf_add_text(headers, "webhook-signature: ");
        destination_sign(destination, message->id, message->now_s,
                         message->body, strlen(message->body), headers);
        lb_buf_add_char(headers, '\n');
    }
    return body->is_failed || headers->is_failed ? LB_ELIMIT : LB_OK;
}

static enum destination_outcome webhook_judge(int status)
{
    if (status >= 200 && status < 300) {
        return DESTINATION_SUCCESS;
    }
    return status == 410 || status == 413 ? DESTINATION_PERMANENT
                                          : DESTINATION_RETRY;
}

const struct destination_type webhook_type = {"webhook", webhook_render,
                                              webhook_judge};
