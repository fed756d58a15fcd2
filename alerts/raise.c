/* raise.c - an alert: held back or sent, its row, its message. */
#include "alerts/raise.h"

#include <stdio.h>
#include <string.h>

#include "alerts/digest.h"
#include "alerts/message.h"
#include "alerts/trust.h"
#include "base/metrics.h"

#define QUIET "quiet"

static void count_alert(const struct raise *raise, const char *result)
{
    char labels[96];

    if (raise->is_rehearsal) {
        return;
    }

    (void)snprintf(labels, sizeof(labels), "rule=\"%s\",result=\"%s\"",
                   raise->rule->id, result);
    lb_metrics_add(lb_metrics_get(LB_METRIC_COUNTER, "linkbell_alerts_total",
                                  "Alerts by rule and what became of them.",
                                  labels),
                   1);
}

/* The group "" counts the day's alerts; that of site 0 is the whole rule. */
static enum lb_err get_group(const struct raise *raise,
                             int64_t site,
                             struct group **group_out,
                             struct lb_error *err)
{
    struct group *group = groups_get(raise->groups, raise->rule, site, "");
    struct alert_store_group *row;
    enum lb_err rc = LB_OK;

    *group_out = group;
    if (group == NULL) {
        return lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    if (!group->is_loaded) {
        row = &group->row;
        rc = alert_store_load(raise->db, &row, 1, err);
        group->is_loaded = rc == LB_OK;
    }
    return rc;
}

/* An import that may ring is decided as if it happened then. */
static int64_t when(const struct raise *raise)
{
    return raise->entry->is_silent ? raise->now_ms
                                   : raise->entry->received_at_ms;
}

static bool is_within(int64_t a_ms, int64_t b_ms, int64_t length_ms)
{
    return a_ms - b_ms < length_ms && b_ms - a_ms < length_ms;
}

/* Whether figures that are short make it ring. */
static bool misses_what_is_lost(const struct rule *rule)
{
    return rule->kind == RULE_CTR || rule->kind == RULE_ABSENT ||
           (rule_is_windowed(rule) && rule->is_below);
}

/* How complete the figures of the alert's window are. */
static enum lb_err read_coverage(struct raise *raise, struct lb_error *err)
{
    const struct coverage_span span = {raise->site->number,
                                       raise->window_from_ms,
                                       raise->window_to_ms, COVERAGE_COMPLETE};

    raise->coverage = COVERAGE_COMPLETE;
    return raise->window_from_ms < raise->window_to_ms &&
                   rule_is_lasting(raise->rule)
               ? trust_read(raise->db, &span, raise->entry->seq,
                            &raise->coverage, err)
               : LB_OK;
}

/* Why no message goes out; NULL when one does. */
static const char *held_back(const struct raise *raise,
                             const struct group *whole,
                             const struct group *daily)
{
    const struct rule *rule = raise->rule;
    const struct alert_store_state *state = &raise->group->row.state;
    int64_t at_ms = when(raise);

    if (raise->entry->is_silent) {
        return "import";
    }
    if (raise->is_learning) {
        return "learning";
    }
    if (at_ms < state->muted_until_ms ||
        at_ms < whole->row.state.muted_until_ms) {
        return "muted";
    }
    if (raise->coverage != COVERAGE_COMPLETE && misses_what_is_lost(rule)) {
        return "coverage";
    }
    if (rule->cooldown_ms > 0 && state->last_fired_at_ms != 0 &&
        is_within(at_ms, state->last_fired_at_ms, rule->cooldown_ms)) {
        return "cooldown";
    }
    if (rule->max_per_day > 0 &&
        daily->row.state.day_count >= rule->max_per_day) {
        return "max_per_day";
    }
    return quiet_holds(&rule->quiet, raise->site->zone, at_ms) ? QUIET : NULL;
}

static bool is_quiet(const struct alert_store_row *row)
{
    return row->held_back != NULL && strcmp(row->held_back, QUIET) == 0;
}

/* Takes the alert to the books of its group and day; *is_kept_out false: it is
 * one too many that was held back. */
static enum lb_err enter(struct raise *raise,
                         struct alert_store_row *row,
                         bool *is_kept_out,
                         struct lb_error *err)
{
    int64_t at_ms = when(raise);
    int64_t day = lb_zone_local_day(raise->site->zone, at_ms);
    struct group *whole = NULL;
    struct group *daily = NULL;
    enum lb_err rc = get_group(raise, 0, &whole, err);

    rc = rc == LB_OK ? get_group(raise, raise->site->number, &daily, err) : rc;
    if (rc != LB_OK) {
        return rc;
    }
    if (daily->row.state.day != day) {
        daily->row.state.day = day;
        daily->row.state.day_count = 0;
        daily->row.state.held_count = 0;
    }
    raise->books = daily;
    row->held_back = held_back(raise, whole, daily);
    *is_kept_out = true;
    if (row->held_back != NULL) {
        *is_kept_out = daily->row.state.held_count < RAISE_HELD_PER_DAY;
        daily->row.state.held_count += *is_kept_out ? 1 : 0;
        groups_note_change(raise->groups, daily);
        if (!is_quiet(row)) {
            return LB_OK; /* what a digest will tell counts as told */
        }
    }
    if (raise->rule->cooldown_ms > 0) {
        raise->group->row.state.last_fired_at_ms = at_ms;
        groups_note_change(raise->groups, raise->group);
    }
    if (raise->rule->max_per_day > 0) {
        daily->row.state.day_count++;
        groups_note_change(raise->groups, daily);
    }
    return LB_OK;
}

static enum lb_err queue(struct raise *raise,
                         const struct alert_store_row *row,
                         const struct lb_buf *data,
                         struct lb_error *err)
{
    struct alert_store_message message = {
        "alert.fired", NULL, raise->rule->notify, raise->rule->notify_count};
    struct lb_buf body;
    enum lb_err rc;

    if (raise->rule->notify_count == 0) {
        return LB_OK;
    }
    lb_buf_init(&body, 2 * MESSAGE_BYTES);
    message_body("alert.fired", row->fired_at_ms, lb_buf_text(data), &body);
    message.body = lb_buf_text(&body);
    rc = alert_store_queue(raise->db, row, &message, err);
    raise->has_queued = true;
    lb_buf_deinit(&body);
    return rc;
}

static void make_id(const struct raise *raise, char id[ALERT_STORE_ID_BYTES])
{
    char occasion[48];
    const char *text = raise->entry->text[ENTRY_TEXT_ID];

    if (raise->rule->kind == RULE_MILESTONE) {
        (void)snprintf(occasion, sizeof(occasion), "%.0f", raise->value);
        text = occasion;
    } else if (!rule_is_of_event(raise->rule)) {
        (void)snprintf(occasion, sizeof(occasion), "%lld-%lld",
                       (long long)raise->window_from_ms,
                       (long long)raise->window_to_ms);
        text = occasion;
    }
    rule_alert_id(raise->rule->id, raise->site->id, raise->group->key, text,
                  id);
}

/* At once, or with the next digest. */
static enum lb_err tell(struct raise *raise,
                        const struct alert_store_row *row,
                        const struct lb_buf *data,
                        struct lb_error *err)
{
    const struct digest digest = {
        raise->db,    raise->groups,     raise->rule,  raise->site,
        raise->books, raise->public_url, raise->now_ms};

    if (is_quiet(row) ||
        (row->held_back == NULL && raise->rule->digest_ms > 0)) {
        return digest_gather(&digest, row->id, err);
    }
    return row->held_back == NULL ? queue(raise, row, data, err) : LB_OK;
}

/* One that went out is over: so is this told. */
static enum lb_err queue_resolved(struct raise *raise,
                                  const struct alert_store_told *told,
                                  struct lb_error *err)
{
    char id[ALERT_STORE_ID_BYTES + sizeof(RAISE_RESOLVED)];
    const struct alert_store_row row = {id,
                                        raise->rule->id,
                                        raise->site->id,
                                        raise->rule->severity,
                                        raise->now_ms,
                                        NULL,
                                        NULL};
    struct alert_store_message message = {
        "alert.resolved", NULL, raise->rule->notify, raise->rule->notify_count};
    struct lb_buf data;
    struct lb_buf body;
    enum lb_err rc;

    (void)snprintf(id, sizeof(id), "%s" RAISE_RESOLVED,
                   raise->group->row.state.alert);
    lb_buf_init(&data, 2 * MESSAGE_BYTES);
    lb_buf_init(&body, 4 * MESSAGE_BYTES);
    message_resolved(lb_buf_text(&told->data), told->fired_at_ms, raise->now_ms,
                     &raise->value, &data);
    message_body("alert.resolved", raise->now_ms, lb_buf_text(&data), &body);
    message.body = lb_buf_text(&body);
    rc = alert_store_queue(raise->db, &row, &message, err);
    rc = rc == LB_OK ? alert_store_skip_resolved(
                           raise->db, raise->group->row.state.alert, err)
                     : rc;
    raise->has_queued = true;
    lb_buf_deinit(&data);
    lb_buf_deinit(&body);
    return rc;
}

static bool is_muted(const struct raise *raise, const struct group *whole)
{
    return raise->now_ms < raise->group->row.state.muted_until_ms ||
           raise->now_ms < whole->row.state.muted_until_ms;
}

enum lb_err raise_resolved(struct raise *raise, struct lb_error *err)
{
    struct digest digest = {raise->db,    raise->groups, raise->rule,
                            raise->site,  NULL,          raise->public_url,
                            raise->now_ms};
    struct alert_store_told told = {.fired_at_ms = 0};
    struct group *whole = NULL;
    enum lb_err rc = get_group(raise, 0, &whole, err);

    rc = rc == LB_OK ? get_group(raise, raise->site->number, &digest.books, err)
                     : rc;
    if (rc != LB_OK || raise->rule->notify_count == 0 ||
        is_muted(raise, whole)) {
        return rc;
    }
    lb_buf_init(&told.data, MESSAGE_BYTES);
    rc = alert_store_get_told(raise->db, raise->group->row.state.alert, &told,
                              err);
    if (rc == LB_OK && told.has_message &&
        !quiet_holds(&raise->rule->quiet, raise->site->zone, raise->now_ms)) {
        rc = queue_resolved(raise, &told, err);
    } else if (rc == LB_OK && told.data.len > 0 && !told.is_held &&
               (told.has_message || told.is_quiet ||
                raise->rule->digest_ms > 0)) {
        rc = digest_gather(&digest, raise->group->row.state.alert, err);
    }
    lb_buf_deinit(&told.data);
    return rc;
}

enum lb_err raise_alert(struct raise *raise, struct lb_error *err)
{
    struct message_alert alert = {raise->group->row.state.alert,
                                  raise->rule,
                                  raise->site,
                                  raise->group->key,
                                  raise->entry,
                                  raise->entry->received_at_ms,
                                  raise->value,
                                  raise->expected,
                                  raise->probability,
                                  raise->window_from_ms,
                                  raise->window_to_ms,
                                  raise->public_url,
                                  NULL,
                                  raise->contributors};
    struct alert_store_row row = {alert.id,
                                  raise->rule->id,
                                  raise->site->id,
                                  raise->rule->severity,
                                  raise->entry->received_at_ms,
                                  NULL,
                                  NULL};
    struct lb_buf data;
    bool is_kept = false;
    bool is_new = false;
    enum lb_err rc = read_coverage(raise, err);

    rc = rc == LB_OK ? enter(raise, &row, &is_kept, err) : rc;
    alert.coverage = coverage_name(raise->coverage);

    if (rc != LB_OK) {
        return rc;
    }
    make_id(raise, raise->group->row.state.alert);
    if (!is_kept) {
        count_alert(raise, row.held_back);
        return LB_OK;
    }
    lb_buf_init(&data, MESSAGE_BYTES);
    message_data(&alert, &data);
    row.data = lb_buf_text(&data);
    rc = alert_store_put(raise->db, &row, &is_new, err);
    if (rc == LB_OK && is_new) {
        count_alert(raise, row.held_back == NULL ? "fired" : row.held_back);
        rc = tell(raise, &row, &data, err);
    }
    lb_buf_deinit(&data);
    return rc;
}
