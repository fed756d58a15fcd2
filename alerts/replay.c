/* replay.c - what rules know, read from the log without deciding. */
#include "alerts/replay.h"

#include "alerts/rate.h"
#include "alerts/spike.h"
#include "alerts/threshold.h"
#include "base/clock.h"
#include "sql/log_store.h"

#define GROUP_BYTES 8192
#define LOOK_EVERY 256 /* entries between two looks at the clock */

/* A threshold needs only what its windows hold; values are known from the first
 * event on. */
static bool is_fed(const struct replay *replay, const struct rule *rule)
{
    switch (rule->kind) {
    case RULE_THRESHOLD:
    case RULE_BURST:
    case RULE_ABSENT:
        return true;
    case RULE_FIRST_SEEN:
        return replay->seen != NULL;
    case RULE_MILESTONE:
        return replay->is_first &&
               (replay->seen != NULL || !rule_counts_visitors(rule));
    case RULE_CTR:
    case RULE_SPIKE:
    case RULE_DROP:
        return replay->is_first;
    case RULE_EVENT:
    case RULE_NOT_PULLED:
        break;
    }
    return false;
}

static int64_t known_from(const struct replay *replay, const struct rule *rule)
{
    if (rule->kind == RULE_CTR) {
        return rate_known_from(rule, replay->now_ms);
    }
    if (rule_is_of_baseline(rule)) {
        return spike_known_from(rule, replay->now_ms);
    }
    return rule_is_timed(rule)
               ? threshold_known_from(rule, replay->gaps, replay->now_ms)
               : INT64_MIN;
}

/* Whether the event's visitor counts in its window for a rule that learns; kept
 * while the service may meet more of that window. */
static enum lb_err meet(const struct replay *replay,
                        const struct rule *rule,
                        const struct entry *entry,
                        const char *group,
                        bool *is_new_out,
                        struct lb_error *err)
{
    int64_t expires_at_ms = spike_expires_at_ms(
        rule, ruleset_site(replay->set, entry->site), entry);
    struct alert_store_seen *row;
    char visitor[RULE_VISITOR_BYTES];
    struct lb_buf key;
    enum lb_err rc = LB_OK;

    (void)rule_visitor(entry, visitor);
    lb_buf_init(&key, GROUP_BYTES + 2 * RULE_VISITOR_BYTES);
    lb_buf_printf(&key, "%s%s", group, visitor);
    if (replay->seen != NULL && expires_at_ms >= replay->now_ms) {
        row = seen_get_until(replay->seen, rule->number, entry->site,
                             expires_at_ms, lb_buf_text(&key));
        rc = row == NULL
                 ? lb_err_set(err, LB_EINTERNAL, "no room for a visitor")
                 : LB_OK;
        if (row != NULL) {
            row->is_changed = true;
        }
    }
    lb_buf_printf(&key, " %lld %lld %lld", (long long)rule->number,
                  (long long)entry->site, (long long)expires_at_ms);
    *is_new_out = faces_is_new(replay->faces, key.data, key.len);
    lb_buf_deinit(&key);
    return rc;
}

static enum lb_err count(const struct replay *replay,
                         const struct rule *rule,
                         const struct entry *entry,
                         const char *key,
                         struct lb_error *err)
{
    int64_t oldest_ms = threshold_oldest(rule, replay->gaps, replay->now_ms);
    struct group *group;
    bool is_new = true;
    enum lb_err rc = LB_OK;

    if (rule_weight(rule, entry) == 0 ||
        threshold_time(entry) < known_from(replay, rule)) {
        return LB_OK;
    }
    if (rule_counts_crowds(rule)) {
        rc = meet(replay, rule, entry, key, &is_new, err);
    }
    if (rc != LB_OK || !is_new) {
        return rc;
    }
    group = groups_get(replay->groups, rule, entry->site, key);
    if (group != NULL && rule->kind == RULE_MILESTONE) {
        group->learnt += rule_weight(rule, entry);
        return LB_OK;
    }
    if (group != NULL && rule_is_aligned(rule)) {
        const struct catalog_site *site =
            ruleset_site(replay->set, entry->site);

        return (rule->kind == RULE_CTR ? rate_learn : spike_learn)(rule, site,
                                                                   group, entry)
                   ? LB_OK
                   : lb_err_set(err, LB_ENOMEM, "out of memory");
    }
    return group != NULL &&
                   threshold_count(rule, replay->gaps, group, entry, oldest_ms)
               ? LB_OK
               : lb_err_set(err, LB_ENOMEM, "out of memory");
}

static enum lb_err see(const struct replay *replay,
                       const struct rule *rule,
                       const struct entry *entry,
                       const char *values,
                       struct lb_error *err)
{
    struct alert_store_seen *row =
        seen_get(replay->seen, rule->number, entry->site, values);

    if (row == NULL) {
        return lb_err_set(err, LB_EINTERNAL, "no room for a value");
    }
    if (row->last_seen_at_ms < entry->received_at_ms) {
        row->last_seen_at_ms = entry->received_at_ms;
        row->is_changed = true;
    }
    return LB_OK;
}

static enum lb_err feed(const struct replay *replay,
                        size_t index,
                        const struct entry *entry,
                        struct lb_error *err)
{
    const struct rule *rule = &replay->set->rules[index].rule;
    char visitor[RULE_VISITOR_BYTES];
    const char *intent = NULL;
    struct lb_buf key;
    enum lb_err rc = LB_OK;

    if (!is_fed(replay, rule) ||
        !ruleset_matches(replay->set, index, entry, &intent)) {
        return LB_OK;
    }
    if (rule_counts_visitors(rule)) {
        return rule_visitor(entry, visitor)
                   ? see(replay, rule, entry, visitor, err)
                   : LB_OK;
    }
    lb_buf_init(&key, GROUP_BYTES);
    if (rule_group(rule, entry, ruleset_site(replay->set, entry->site)->id,
                   intent, &key)) {
        rc = rule->kind == RULE_FIRST_SEEN
                 ? see(replay, rule, entry, lb_buf_text(&key), err)
                 : count(replay, rule, entry, lb_buf_text(&key), err);
    }
    lb_buf_deinit(&key);
    return rc;
}

static bool set_all_back(const struct replay *replay, size_t back)
{
    const struct gaps *gaps = replay->gaps;

    for (struct group *group = groups_oldest(replay->groups); group != NULL;
         group = groups_next(group)) {
        const struct ruleset_rule *row =
            ruleset_find(replay->set, group->row.rule);

        if (row != NULL &&
            !threshold_set_back(&row->rule, group, gaps->backs[back].from_ms,
                                gaps->backs[back].to_ms)) {
            return false;
        }
    }
    return true;
}

/* The clock was set back before the entry seq came: what lay ahead counts then.
 */
static enum lb_err set_back(const struct replay *replay,
                            size_t *next_back,
                            int64_t seq,
                            struct lb_error *err)
{
    const struct gaps *gaps = replay->gaps;

    for (; *next_back < gaps->back_count && gaps->backs[*next_back].seq < seq;
         (*next_back)++) {
        if (!set_all_back(replay, *next_back)) {
            return lb_err_set(err, LB_ENOMEM, "out of memory");
        }
    }
    return LB_OK;
}

static size_t first_back(const struct replay *replay, int64_t after_seq)
{
    size_t next = 0;

    while (next < replay->gaps->back_count &&
           replay->gaps->backs[next].seq <= after_seq) {
        next++;
    }
    return next;
}

static bool is_at_end(const struct replay *replay,
                      const struct replay_piece *piece,
                      size_t entries)
{
    return (piece->entries != 0 && entries >= piece->entries) ||
           (replay->seen != NULL &&
            seen_room(replay->seen) < replay->rule_count) ||
           (piece->until_ms != 0 && entries % LOOK_EVERY == 0 &&
            lb_clock_mono_ms() >= piece->until_ms);
}

static enum lb_err feed_all(const struct replay *replay,
                            const struct entry *entry,
                            struct lb_error *err)
{
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < replay->rule_count && rc == LB_OK; i++) {
        rc = feed(replay, replay->rules[i], entry, err);
    }
    return rc;
}

static enum lb_err read_on(const struct replay *replay,
                           struct log_reader *reader,
                           struct replay_piece *piece,
                           struct lb_error *err)
{
    size_t next_back = first_back(replay, piece->after_seq);
    const struct entry *entry = NULL;
    enum lb_err rc = LB_OK;

    for (size_t entries = 0; !is_at_end(replay, piece, entries); entries++) {
        rc = log_reader_next(reader, &entry, err);
        if (rc != LB_OK) {
            return rc;
        }
        rc = set_back(replay, &next_back,
                      entry == NULL ? piece->upto_seq + 1 : entry->seq, err);
        rc = rc == LB_OK && entry != NULL ? feed_all(replay, entry, err) : rc;
        if (rc != LB_OK || entry == NULL) {
            piece->after_seq = rc == LB_OK ? piece->upto_seq : piece->after_seq;
            break;
        }
        piece->after_seq = entry->seq;
    }
    return rc;
}

bool replay_digest(const struct replay *replay)
{
    bool is_ok = true;

    for (struct group *group = groups_oldest(replay->groups);
         group != NULL && is_ok; group = groups_next(group)) {
        const struct ruleset_rule *row =
            ruleset_find(replay->set, group->row.rule);

        if (row != NULL && rule_is_of_baseline(&row->rule)) {
            is_ok =
                baseline_learn(&group->baseline, &row->rule,
                               ruleset_site(replay->set, group->row.site)->zone,
                               replay->gaps, &group->slots, replay->now_ms);
        }
    }
    return is_ok;
}

enum lb_err replay_read(const struct replay *replay,
                        struct db *db,
                        struct replay_piece *piece,
                        struct lb_error *err)
{
    struct log_range range = {.after_seq = piece->after_seq,
                              .upto_seq = piece->upto_seq,
                              .from_at_ms = INT64_MAX,
                              .to_at_ms = INT64_MAX,
                              .has_texts = true};
    struct log_reader *reader = NULL;
    struct dict_cache *cache;
    enum lb_err rc;

    for (size_t i = 0; i < replay->rule_count; i++) {
        const struct rule *rule = &replay->set->rules[replay->rules[i]].rule;
        int64_t from_ms =
            is_fed(replay, rule) ? known_from(replay, rule) : INT64_MAX;

        range.from_at_ms =
            from_ms < range.from_at_ms ? from_ms : range.from_at_ms;
    }
    if (range.from_at_ms == INT64_MAX) {
        piece->after_seq = piece->upto_seq; /* nobody wants to know */
        return LB_OK;
    }
    cache = dict_cache_new();
    rc = cache == NULL ? lb_err_set(err, LB_ENOMEM, "out of memory")
                       : log_reader_open(db, cache, &range, &reader, err);
    rc = rc == LB_OK ? read_on(replay, reader, piece, err) : rc;
    log_reader_close(reader);
    dict_cache_free(cache);
    return rc;
}
