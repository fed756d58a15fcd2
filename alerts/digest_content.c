/* digest_content.c - what stands in an `alert.digest`. */
#include "alerts/digest_content.h"

#include <inttypes.h>
#include <string.h>

#include "alerts/message.h"
#include "base/json.h"

#define ALERTS_BYTES ((size_t)192 * 1024) /* of the alerts that are shown */
#define LINES 10                          /* summaries shown in the text */
#define LINES_BYTES ((size_t)2400)        /* of the text */

void digest_content_init(struct digest_content *content)
{
    lb_buf_init(&content->alerts, MESSAGE_BYTES);
    lb_buf_init(&content->lines, 2 * LINES_BYTES);
    content->count = 0;
    content->line_count = 0;
}

void digest_content_deinit(struct digest_content *content)
{
    lb_buf_deinit(&content->alerts);
    lb_buf_deinit(&content->lines);
}

static void add_line(struct digest_content *content, const cJSON *data)
{
    const char *summary = lb_json_text(data, "summary");

    if (summary == NULL || content->line_count == LINES ||
        content->lines.len + strlen(summary) > LINES_BYTES) {
        return;
    }
    lb_buf_add_text(&content->lines, "\n\xe2\x80\xa2 ");
    lb_buf_add_text(&content->lines, summary);
    content->line_count++;
}

void digest_content_add(struct digest_content *content,
                        const char *data,
                        int64_t resolved_at_ms)
{
    cJSON *json = data == NULL ? NULL : cJSON_Parse(data);
    size_t len = data == NULL ? 0 : strlen(data);

    if (!cJSON_IsObject(json) || len < 2) {
        cJSON_Delete(json);
        return;
    }
    if (content->count++ < DIGEST_CONTENT_ALERTS &&
        content->alerts.len + len < ALERTS_BYTES) {
        lb_json_add_comma(&content->alerts);
        lb_buf_add(&content->alerts, data, len - 1);
        if (resolved_at_ms != 0) {
            lb_json_add_key(&content->alerts, "resolved");
            lb_json_add_time(&content->alerts, resolved_at_ms);
        }
        lb_buf_add_char(&content->alerts, '}');
        add_line(content, json);
    }
    cJSON_Delete(json);
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    if (text != NULL) {
        lb_json_add_key(out, key);
        lb_json_add_plain_string(out, text);
    }
}

void digest_content_write(const struct digest_content *content,
                          const struct digest_head *head,
                          struct lb_buf *out)
{
    struct lb_buf text;

    lb_buf_init(&text, MESSAGE_BYTES);
    lb_buf_add_char(out, '{');
    add_text(out, "digest", head->id);
    add_text(out, "rule", head->rule);
    add_text(out, "severity", head->severity);
    add_text(out, "site", head->site);
    lb_buf_add_text(out, ",\"from\":");
    lb_json_add_time(out, head->from_at_ms);
    lb_buf_add_text(out, ",\"to\":");
    lb_json_add_time(out, head->to_at_ms);
    lb_buf_printf(out, ",\"count\":%" PRId64, content->count);
    lb_buf_add_text(&text, head->title);
    lb_buf_add(&text, lb_buf_text(&content->lines), content->lines.len);
    if (content->count > content->line_count) {
        lb_buf_printf(&text, "\nand %" PRId64 " more",
                      content->count - content->line_count);
    }
    add_text(out, "summary", lb_buf_text(&text));
    add_text(out, "dashboard_url", head->dashboard_url);
    lb_buf_add_text(out, ",\"alerts\":[");
    lb_buf_add(out, lb_buf_text(&content->alerts), content->alerts.len);
    lb_buf_add_text(out, "]}");
    lb_buf_deinit(&text);
}
