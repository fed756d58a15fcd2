/* summary.c - the one line that says what happened. */
#include "alerts/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

static void duration_words(int64_t ms, char *out, size_t out_bytes)
{
    static const struct {
        int64_t ms;
        const char *word;
    } units[] = {{LB_MS_PER_DAY, "day"},
                 {LB_MS_PER_HOUR, "hour"},
                 {LB_MS_PER_MIN, "minute"},
                 {LB_MS_PER_S, "second"}};

    for (size_t i = 0; i < 4; i++) {
        if (ms >= units[i].ms && ms % units[i].ms == 0) {
            (void)snprintf(out, out_bytes, "%" PRId64 " %s%s", ms / units[i].ms,
                           units[i].word, ms == units[i].ms ? "" : "s");
            return;
        }
    }
    (void)snprintf(out, out_bytes, "%" PRId64 " ms", ms);
}

static const char *title_of(const struct catalog_site *site, const char *slug)
{
    const struct catalog_link *link =
        slug == NULL ? NULL : catalog_link_find(site, slug);

    return link != NULL && link->title[0] != '\0' ? link->title : slug;
}

static const char *link_title(const struct message_alert *alert)
{
    return title_of(alert->site, alert->entry->text[ENTRY_TEXT_LINK]);
}

static void summarise_event(const struct message_alert *alert,
                            struct lb_buf *out)
{
    const struct entry *entry = alert->entry;
    const char *campaign = entry->text[ENTRY_TEXT_UTM_CAMPAIGN];
    const char *who = entry->contact[ENTRY_CONTACT_NAME];

    switch (entry->type) {
    case ENTRY_LEAD:
        lb_buf_printf(out, "New lead on %s", alert->site->id);
        break;
    case ENTRY_CLICK:
        lb_buf_printf(out, "Click on %s on %s",
                      link_title(alert) == NULL ? "a link" : link_title(alert),
                      alert->site->id);
        break;
    case ENTRY_CONVERSION:
        lb_buf_printf(out, "Conversion%s%s on %s",
                      entry->text[ENTRY_TEXT_NAME] == NULL ? "" : " ",
                      entry->text[ENTRY_TEXT_NAME] == NULL
                          ? ""
                          : entry->text[ENTRY_TEXT_NAME],
                      alert->site->id);
        break;
    case ENTRY_VIEW:
        lb_buf_printf(out, "Visit of %s", alert->site->id);
        break;
    }
    if (who != NULL) {
        lb_buf_printf(out, ": %s", who);
    }
    if (campaign != NULL) {
        lb_buf_printf(out, "%s campaign %s", who == NULL ? ":" : ",", campaign);
    } else if (entry->text[ENTRY_TEXT_SOURCE] != NULL &&
               strcmp(entry->text[ENTRY_TEXT_SOURCE], "Direct / None") != 0) {
        lb_buf_printf(out, "%s from %s", who == NULL ? ":" : ",",
                      entry->text[ENTRY_TEXT_SOURCE]);
    }
}

static void summarise_first_seen(const struct message_alert *alert,
                                 struct lb_buf *out)
{
    cJSON *group = cJSON_Parse(alert->group);
    const cJSON *item;
    const char *separator = "";

    lb_buf_printf(out, "First %s on %s from ",
                  entry_type_name(alert->entry->type), alert->site->id);
    cJSON_ArrayForEach (item, group) {
        if (cJSON_IsString(item)) {
            lb_buf_printf(out, "%s%s %s", separator, item->string,
                          item->valuestring);
            separator = ", ";
        }
    }
    cJSON_Delete(group);
}

/* "Shop (alice.bio)" or the site alone. */
static void add_place(const struct message_alert *alert, struct lb_buf *out)
{
    cJSON *group = cJSON_Parse(alert->group);
    const char *slug = lb_json_text(group, "link");

    if (slug != NULL) {
        lb_buf_printf(out, "%s (%s)", title_of(alert->site, slug),
                      alert->site->id);
    } else {
        lb_buf_add_text(out, alert->site->id);
    }
    cJSON_Delete(group);
}

static bool is_of_visitor(const struct message_alert *alert)
{
    for (size_t i = 0; i < alert->rule->group_count; i++) {
        if (alert->rule->group[i].kind == RULE_FIELD_VISITOR) {
            return true;
        }
    }
    return false;
}

static void summarise_threshold(const struct message_alert *alert,
                                struct lb_buf *out)
{
    const struct rule *rule = alert->rule;
    char window[48];

    duration_words(rule->window_ms, window, sizeof(window));
    lb_json_add_double(out, alert->value, 2);
    lb_buf_printf(out, " %s %son ", rule_metric_name(rule->metric),
                  is_of_visitor(alert) ? "of one visitor " : "");
    add_place(alert, out);
    lb_buf_printf(out, " in %s, %s than ", window,
                  rule->is_below ? "less" : "more");
    lb_json_add_double(out, rule->limit, 2);
}

static void summarise_milestone(const struct message_alert *alert,
                                struct lb_buf *out)
{
    lb_json_add_double(out, alert->value, 2);
    lb_buf_printf(out, " %s on ", rule_metric_name(alert->rule->metric));
    add_place(alert, out);
}

static void summarise_silence(const struct message_alert *alert,
                              struct lb_buf *out)
{
    char window[48];

    duration_words(alert->rule->window_ms, window, sizeof(window));
    if (alert->rule->kind == RULE_NOT_PULLED) {
        lb_buf_printf(out, "The %s export of ", alert->rule->export_name);
    } else {
        lb_buf_printf(out, "No %s on ", rule_metric_name(alert->rule->metric));
    }
    add_place(alert, out);
    lb_buf_printf(out, "%s for %s",
                  alert->rule->kind == RULE_NOT_PULLED ? " has not been pulled"
                                                       : "",
                  window);
}

static void summarise_ctr(const struct message_alert *alert, struct lb_buf *out)
{
    char window[48];

    duration_words(alert->rule->window_ms, window, sizeof(window));
    lb_buf_printf(out, "%.1f clicks on 100 views of ", 100 * alert->value);
    add_place(alert, out);
    lb_buf_printf(out, " in %s, where %.1f are usual", window,
                  100 * alert->expected);
}

/* "14 leads on Book a strategy call in 15 minutes, where about 2 are usual" */
static void summarise_baseline(const struct message_alert *alert,
                               struct lb_buf *out)
{
    const double expected = alert->expected;
    cJSON *group = cJSON_Parse(alert->group);
    const char *slug = lb_json_text(group, "link");
    char window[48];

    duration_words(alert->rule->window_ms, window, sizeof(window));
    lb_json_add_double(out, alert->value, 2);
    lb_buf_printf(out, " %s on %s in %s, where about ",
                  rule_metric_name(alert->rule->metric),
                  slug == NULL ? alert->site->id : title_of(alert->site, slug),
                  window);
    lb_buf_printf(out, "%.*f are usual",
                  expected >= 1                      ? 0
                  : expected >= 0.1 || expected <= 0 ? 1
                                                     : 2,
                  expected);
    cJSON_Delete(group);
}

void summary_write(const struct message_alert *alert, struct lb_buf *out)
{
    switch (alert->rule->kind) {
    case RULE_EVENT:
        summarise_event(alert, out);
        break;
    case RULE_FIRST_SEEN:
        summarise_first_seen(alert, out);
        break;
    case RULE_THRESHOLD:
    case RULE_BURST:
        summarise_threshold(alert, out);
        break;
    case RULE_MILESTONE:
        summarise_milestone(alert, out);
        break;
    case RULE_CTR:
        summarise_ctr(alert, out);
        break;
    case RULE_SPIKE:
    case RULE_DROP:
        summarise_baseline(alert, out);
        break;
    case RULE_ABSENT:
    case RULE_NOT_PULLED:
        summarise_silence(alert, out);
        break;
    }
    if (out->len > SUMMARY_BYTES) {
        out->len = lb_text_cut(out->data, out->len, SUMMARY_BYTES);
        out->data[out->len] = '\0';
    }
}
