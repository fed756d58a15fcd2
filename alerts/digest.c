/* digest.c - alerts gathered into one message. */
#include "alerts/digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alerts/digest_content.h"
#include "alerts/digest_store.h"
#include "alerts/message.h"
#include "alerts/quiet.h"
#include "base/clock.h"
#include "base/text.h"

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

static void add_alert(void *ctx, const char *data, int64_t resolved_at_ms)
{
    digest_content_add(ctx, data, resolved_at_ms);
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

static void write_data(const struct digest *digest,
                       const struct digest_content *content,
                       const char *id,
                       struct lb_buf *out)
{
    struct lb_buf title;
    struct lb_buf url;
    struct digest_head head = {.id = id,
                               .rule = digest->rule->id,
                               .severity = digest->rule->severity,
                               .site = digest->site->id,
                               .from_at_ms =
                                   digest->books->row.state.digest_from_at_ms,
                               .to_at_ms = digest->now_ms};

    lb_buf_init(&title, MESSAGE_BYTES);
    lb_buf_init(&url, MESSAGE_BYTES);
    lb_buf_printf(&title, "%" PRId64 " alert%s of %s on %s", content->count,
                  content->count == 1 ? "" : "s", digest->rule->id,
                  digest->site->id);
    lb_buf_printf(&url, "%s/?site=", digest->public_url);
    lb_text_percent_encode(&url, digest->site->id);
    head.title = lb_buf_text(&title);
    head.dashboard_url = lb_buf_text(&url);
    digest_content_write(content, &head, out);
    lb_buf_deinit(&title);
    lb_buf_deinit(&url);
}

static enum lb_err queue(const struct digest *digest,
                         const struct digest_content *content,
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
    struct digest_content content;
    enum lb_err rc;

    digest_content_init(&content);
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
    digest_content_deinit(&content);
    return rc;
}
