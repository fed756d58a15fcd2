/* digest.c - alerts gathered into one message. */
#include "alerts/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alerts/digest_store.h"
#include "alerts/message.h"
#include "alerts/quiet.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define DIGEST_BYTES ((size_t)192 * 1024) /* of the alerts that are shown */
#define LINES 10                          /* summaries shown in the text */
#define LINES_BYTES ((size_t)2400)        /* of the text */

enum lb_err digest_gather(const struct digest *digest,
                          const char *alert,
                          struct lb_error *err)
{
    struct group *books = digest->books;

    if (digest->rule->notify_count == 0) {
        return LB_OK;
    }
    if (books->row.state.digest_from_at_ms == 0) {
        books->row.state.digest_from_at_ms = digest->now_ms;
        groups_note_change(digest->groups, books);
    }
    groups_set_waiting(digest->groups, books, true);
    return digest_store_add(digest->db, digest->rule->number,
                            digest->site->number, alert, err);
}

bool digest_is_due(const struct digest *digest)
{
    int64_t from_ms = digest->books->row.state.digest_from_at_ms;

    return from_ms != 0 && digest->site != NULL &&
           digest->now_ms - from_ms >= digest->rule->digest_ms &&
           !quiet_holds(&digest->rule->quiet, digest->site->zone,
                        digest->now_ms);
}

/* What is being put together. */
struct content {
    struct lb_buf alerts;
    struct lb_buf lines;
    int64_t count;
    int64_t line_count;
};

static void add_line(struct content *content, const cJSON *data)
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

static void add_alert(void *ctx, const char *data, int64_t resolved_at_ms)
{
    struct content *content = ctx;
    cJSON *json = data == NULL ? NULL : cJSON_Parse(data);
    size_t len = data == NULL ? 0 : strlen(data);

    if (!cJSON_IsObject(json) || len < 2) {
        cJSON_Delete(json);
        return;
    }
    if (content->count++ < DIGEST_ALERTS &&
        content->alerts.len + len < DIGEST_BYTES) {
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

static void make_id(const struct digest *digest, char id[RULE_ALERT_ID_BYTES])
{
    char occasion[48];

    (void)snprintf(occasion, sizeof(occasion), "%" PRId64 "-%" PRId64,
                   digest->books->row.state.digest_from_at_ms, digest->now_ms);
    rule_alert_id(digest->rule->id, digest->site->id, "digest", occasion, id);
    id[0] = 'd'; /* instead of al_ */
    id[1] = 'g';
}

static void add_text(struct lb_buf *out, const char *key, const char *text)
{
    lb_json_add_key(out, key);
    lb_json_add_plain_string(out, text);
}

static void write_data(const struct digest *digest,
                       const struct content *content,
                       const char *id,
                       struct lb_buf *out)
{
    struct lb_buf text;

    lb_buf_init(&text, MESSAGE_BYTES);
    lb_buf_add_char(out, '{');
    add_text(out, "digest", id);
    add_text(out, "rule", digest->rule->id);
    add_text(out, "severity", digest->rule->severity);
    add_text(out, "site", digest->site->id);
    lb_buf_add_text(out, ",\"from\":");
    lb_json_add_time(out, digest->books->row.state.digest_from_at_ms);
    lb_buf_add_text(out, ",\"to\":");
    lb_json_add_time(out, digest->now_ms);
    lb_buf_printf(out, ",\"count\":%" PRId64, content->count);
    lb_buf_printf(&text, "%" PRId64 " alert%s of %s on %s", content->count,
                  content->count == 1 ? "" : "s", digest->rule->id,
                  digest->site->id);
    lb_buf_add(&text, lb_buf_text(&content->lines), content->lines.len);
    if (content->count > content->line_count) {
        lb_buf_printf(&text, "\nand %" PRId64 " more",
                      content->count - content->line_count);
    }
    add_text(out, "summary", lb_buf_text(&text));
    lb_buf_clear(&text);
    lb_buf_printf(&text, "%s/?site=", digest->public_url);
    lb_text_percent_encode(&text, digest->site->id);
    add_text(out, "dashboard_url", lb_buf_text(&text));
    lb_buf_add_text(out, ",\"alerts\":[");
    lb_buf_add(out, lb_buf_text(&content->alerts), content->alerts.len);
    lb_buf_add_text(out, "]}");
    lb_buf_deinit(&text);
}

static enum lb_err queue(const struct digest *digest,
                         const struct content *content,
                         struct lb_error *err)
{
    char id[RULE_ALERT_ID_BYTES];
    const struct alert_store_row row = {id,
                                        digest->rule->id,
                                        digest->site->id,
                                        digest->rule->severity,
                                        digest->now_ms,
                                        NULL,
                                        NULL};
    struct alert_store_message message = {
        "alert.digest", NULL, digest->rule->notify, digest->rule->notify_count};
    struct lb_buf data;
    struct lb_buf body;
    enum lb_err rc;

    make_id(digest, id);
    lb_buf_init(&data, MESSAGE_BYTES);
    lb_buf_init(&body, 2 * MESSAGE_BYTES);
    write_data(digest, content, id, &data);
    message_body("alert.digest", digest->now_ms, lb_buf_text(&data), &body);
    message.body = lb_buf_text(&body);
    rc = body.is_failed ? lb_err_set(err, LB_ENOMEM, "out of memory")
                        : alert_store_queue(digest->db, &row, &message, err);
    lb_buf_deinit(&data);
    lb_buf_deinit(&body);
    return rc;
}

enum lb_err digest_send(const struct digest *digest,
                        bool *has_queued_out,
                        struct lb_error *err)
{
    struct content content = {.count = 0};
    enum lb_err rc;

    lb_buf_init(&content.alerts, MESSAGE_BYTES);
    lb_buf_init(&content.lines, 2 * LINES_BYTES);
    rc = digest_store_each(digest->db, digest->rule->number,
                           digest->site->number, add_alert, &content, err);
    *has_queued_out =
        rc == LB_OK && content.count > 0 && digest->rule->notify_count > 0;
    if (*has_queued_out) {
        rc = queue(digest, &content, err);
    }
    rc = rc == LB_OK ? digest_store_clear(digest->db, digest->rule->number,
                                          digest->site->number, err)
                     : rc;
    digest->books->row.state.digest_from_at_ms = 0;
    groups_note_change(digest->groups, digest->books);
    groups_set_waiting(digest->groups, digest->books, false);
    lb_buf_deinit(&content.alerts);
    lb_buf_deinit(&content.lines);
    return rc;
}
