/* deliver_notice.c - what the owner is told of a destination. */
#include "alerts/deliver_notice.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

#define OPEN_LONG_MS (10 * LB_MS_PER_MIN)
#define DEAD_EVERY_MS LB_MS_PER_HOUR
#define SUMMARY_BYTES 256

/* What was open for long, and the first dead message of an hour. */
static const char *
choose(struct lane *lane, const struct attempt *attempt, int64_t now_ms)
{
    switch (attempt->change) {
    case LANE_HAS_BEEN_DISABLED:
        return "is disabled: nobody takes messages there any more. They are "
               "held";
    case LANE_HAS_PAUSED:
        return "is paused: it refuses its token or URL, or its address is not "
               "allowed. Its messages wait";
    case LANE_HAS_OPENED:
        lane->opened_at_ms = now_ms;
        lane->is_open_told = false;
        break;
    case LANE_HAS_CLOSED:
    case LANE_SAME:
        break;
    }
    if (lane->state == LANE_OPEN && !lane->is_open_told &&
        now_ms - lane->opened_at_ms >= OPEN_LONG_MS) {
        lane->is_open_told = true;
        return "has been failing for ten minutes. Its messages wait";
    }
    if (strcmp(attempt->state, "dead") == 0 &&
        (lane->dead_told_at_ms == 0 ||
         now_ms - lane->dead_told_at_ms >= DEAD_EVERY_MS)) {
        lane->dead_told_at_ms = now_ms;
        return "could not be given a message, which is dead now";
    }
    return NULL;
}

/* A message about a destination raises none of its own. */
static bool is_about_delivery(const struct attempt *attempt)
{
    cJSON *json = cJSON_Parse(attempt->delivery.body);
    const char *rule =
        lb_json_text(cJSON_GetObjectItemCaseSensitive(json, "data"), "rule");
    bool is_it = rule != NULL && strcmp(rule, DELIVER_NOTICE_RULE) == 0;

    cJSON_Delete(json);
    return is_it;
}

void deliver_notice_choose(struct attempt *attempt, int64_t now_ms)
{
    attempt->may_tell = !is_about_delivery(attempt);
    attempt->told =
        attempt->may_tell ? choose(attempt->lane, attempt, now_ms) : NULL;
}

static void read_site(const struct attempt *attempt, char *out, size_t bytes)
{
    cJSON *json = cJSON_Parse(attempt->delivery.body);
    const char *site =
        lb_json_text(cJSON_GetObjectItemCaseSensitive(json, "data"), "site");

    (void)snprintf(out, bytes, "%s", site == NULL ? "linkbell" : site);
    cJSON_Delete(json);
}

enum lb_err deliver_notice_put(struct attempt *attempt,
                               struct cursor *cursor,
                               struct db *db,
                               struct lb_error *err)
{
    const char *id = attempt->delivery.destination;
    int64_t now_ms = lb_clock_wall_ms();
    char group[LANE_ID_BYTES + 32];
    char summary[SUMMARY_BYTES];
    char site[OUTBOX_NAME_BYTES];

    if (attempt->is_failing && attempt->may_tell) {
        attempt->told = "is disabled: nothing has been delivered for too long. "
                        "Its messages are held";
    }
    if (attempt->told == NULL) {
        return LB_OK;
    }
    read_site(attempt, site, sizeof(site));
    (void)snprintf(group, sizeof(group), "{\"destination\":\"%.*s\"}",
                   LANE_ID_BYTES, id);
    (void)snprintf(summary, sizeof(summary), "The destination %.*s %s (%s)",
                   LANE_ID_BYTES, id, attempt->told,
                   attempt->record.error == NULL ? "failures"
                                                 : attempt->record.error);
    notice_warn(&attempt->notice, DELIVER_NOTICE_RULE, site, group, summary,
                now_ms);
    return cursor_append(cursor, db, &attempt->notice.entry, err);
}
