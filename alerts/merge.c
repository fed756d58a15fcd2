/* merge.c - many waiting alerts as one digest. */
#include "alerts/merge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alerts/alert_store.h"
#include "alerts/digest_content.h"
#include "alerts/merge_store.h"
#include "alerts/message.h"
#include "alerts/rule.h"
#include "base/json.h"

#define SITE_BYTES 256
#define ALERT "{\"type\":\"alert.fired\"" /* how its message begins */

struct merging {
    struct digest_content content;
    int64_t from_at_ms; /* when the first was made */
    char first[RULE_ALERT_ID_BYTES];
    char site[SITE_BYTES]; /* "" several */
    bool is_begun;
};

static void add(void *ctx, const struct merge_store_row *row)
{
    struct merging *merging = ctx;
    cJSON *json = cJSON_Parse(row->body);
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    struct lb_buf text;

    lb_buf_init(&text, MESSAGE_BYTES);
    lb_json_add_item(&text, data);
    digest_content_add(&merging->content, lb_buf_text(&text), 0);
    if (!merging->is_begun) {
        merging->is_begun = true;
        merging->from_at_ms = row->created_at_ms;
        (void)snprintf(merging->first, sizeof(merging->first), "%s",
                       row->message);
        (void)snprintf(merging->site, sizeof(merging->site), "%s", row->site);
    } else if (strcmp(merging->site, row->site) != 0) {
        merging->site[0] = '\0';
    }
    lb_buf_deinit(&text);
    cJSON_Delete(json);
}

static enum lb_err put(struct db *db,
                       const char *destination,
                       const struct merging *merging,
                       const struct merge_store_times *times,
                       struct lb_error *err)
{
    const char *sites[] = {merging->site, "several sites"};
    char id[RULE_ALERT_ID_BYTES];
    char title[SITE_BYTES + 48];
    struct lb_buf data;
    struct lb_buf body;
    enum lb_err rc;

    /* As stable as the first alert that is in it. */
    rule_alert_id(merging->first, destination, "digest", "", id);
    id[0] = 'd'; /* instead of al_ */
    id[1] = 'g';
    (void)snprintf(title, sizeof(title), "%" PRId64 " alerts on %s",
                   merging->content.count, sites[merging->site[0] == '\0']);
    lb_buf_init(&data, MESSAGE_BYTES);
    lb_buf_init(&body, 2 * MESSAGE_BYTES);
    digest_content_write(
        &merging->content,
        &(struct digest_head){.id = id,
                              .site = merging->site[0] == '\0' ? NULL
                                                               : merging->site,
                              .from_at_ms = merging->from_at_ms,
                              .to_at_ms = times->now_ms,
                              .title = title},
        &data);
    message_body("alert.digest", times->now_ms, lb_buf_text(&data), &body);
    rc = body.is_failed
             ? lb_err_set(err, LB_ENOMEM, "out of memory")
             : merge_store_put(db, destination,
                               &(struct merge_store_digest){id, merging->site,
                                                            lb_buf_text(&body),
                                                            *times},
                               err);
    lb_buf_deinit(&data);
    lb_buf_deinit(&body);
    return rc;
}

/* The alerts that are due until then, if they are more than `over`. */
static enum lb_err merge(struct db *db,
                         const char *destination,
                         int64_t over,
                         const struct merge_store_times *times,
                         bool *is_merged_out,
                         struct lb_error *err)
{
    struct merging merging = {.is_begun = false};
    int64_t count = 0;
    enum lb_err rc = merge_store_count(db, destination, times, &count, err);

    *is_merged_out = false;
    if (rc != LB_OK || count <= over) {
        return rc;
    }
    digest_content_init(&merging.content);
    rc = merge_store_each(db, destination, times, add, &merging, err);
    rc = rc == LB_OK ? put(db, destination, &merging, times, err) : rc;
    *is_merged_out = rc == LB_OK;
    digest_content_deinit(&merging.content);
    return rc;
}

enum lb_err merge_before(struct db *db,
                         const struct outbox_delivery *delivery,
                         const struct merge_wish *wish,
                         int64_t now_ms,
                         bool *may_send_out,
                         struct lb_error *err)
{
    bool is_gathered = wish->gather_ms > 0 &&
                       strncmp(delivery->body, ALERT, sizeof(ALERT) - 1) == 0;
    const struct merge_store_times times = {
        now_ms, is_gathered ? now_ms + wish->gather_ms : now_ms};
    bool is_merged = false;
    enum lb_err rc = LB_OK;

    *may_send_out = false;
    if (is_gathered && now_ms < delivery->created_at_ms + wish->gather_ms) {
        return outbox_postpone(db, delivery->id,
                               delivery->created_at_ms + wish->gather_ms, err);
    }
    if (is_gathered || wish->over > 0) {
        rc = merge(db, delivery->destination, is_gathered ? 1 : wish->over,
                   &times, &is_merged, err);
    }
    *may_send_out = rc == LB_OK && !is_merged;
    return rc;
}
