/* pulls.c - the exports that were pulled, for rules of kind not_pulled. */
#include "alerts/pulls.h"

#include <string.h>

#include "alerts/engine_state.h"
#include "alerts/threshold.h"
#include "base/json.h"

#define NO_GROUP "{}"

/* One pull, shown to the rules. */
struct pull {
    struct engine *engine;
    struct db *db;
    const struct entry *entry;
    const cJSON *data;
    bool is_decided;   /* else only noted */
    int64_t oldest_ms; /* of what is still to be noted */
    enum lb_err rc;
    struct lb_error *err;
};

static bool names_site(const cJSON *data, const char *site)
{
    const cJSON *sites = cJSON_GetObjectItemCaseSensitive(data, "sites");
    const cJSON *item;

    if (!cJSON_IsArray(sites)) {
        return true;
    }
    cJSON_ArrayForEach (item, sites) {
        if (cJSON_IsString(item) && strcmp(item->valuestring, site) == 0) {
            return true;
        }
    }
    return false;
}

/* When it was received, as the clock stands since it was set back. */
static int64_t counts_at(const struct pull *pull)
{
    const struct gaps *gaps = &pull->engine->gaps;
    int64_t at_ms = pull->entry->received_at_ms;

    for (size_t i = 0; i < gaps->back_count; i++) {
        if (gaps->backs[i].seq > pull->entry->seq &&
            at_ms > gaps->backs[i].to_ms) {
            at_ms = gaps->backs[i].to_ms;
        }
    }
    return at_ms;
}

static enum lb_err show_site(struct pull *pull,
                             const struct ruleset_rule *row,
                             const struct catalog_site *site)
{
    struct engine *engine = pull->engine;
    struct group *group =
        groups_get(engine->groups, &row->rule, site->number, NO_GROUP);
    struct engine_case one = {.entry = pull->entry,
                              .rule = &row->rule,
                              .site = site,
                              .now_ms = engine->now_ms,
                              .group = group};
    enum lb_err rc;

    if (group == NULL) {
        return lb_err_set(pull->err, LB_ENOMEM, "out of memory");
    }
    threshold_note(group, counts_at(pull));
    if (!pull->is_decided) {
        return LB_OK;
    }
    rc = engine_load_groups(pull->db, &group, 1, pull->err);
    return rc == LB_OK
               ? engine_take_turn(engine, pull->db, &one,
                                  threshold_oldest(&row->rule, &engine->gaps,
                                                   engine->now_ms),
                                  pull->err)
               : rc;
}

static bool is_of_rule(const struct pull *pull, const struct ruleset_rule *row)
{
    const char *name = lb_json_text(pull->data, "export");

    return row->rule.kind == RULE_NOT_PULLED && name != NULL &&
           row->rule.export_name != NULL &&
           strcmp(row->rule.export_name, name) == 0 &&
           (!pull->is_decided || pull->entry->seq > row->ready_seq);
}

static enum lb_err show_rule(struct pull *pull, const struct ruleset_rule *row)
{
    const struct ruleset *set = pull->engine->set;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < catalog_site_count(set->catalog) && rc == LB_OK;
         i++) {
        const struct catalog_site *site = catalog_site_at(set->catalog, i);

        if (ruleset_covers(set, row, site->number) &&
            names_site(pull->data, site->id)) {
            rc = show_site(pull, row, site);
        }
    }
    return rc;
}

static enum lb_err show(struct pull *pull)
{
    const struct engine *engine = pull->engine;
    enum lb_err rc = LB_OK;

    for (size_t i = 0; i < engine->active_count && rc == LB_OK; i++) {
        const struct ruleset_rule *row = &engine->set->rules[engine->active[i]];

        rc = is_of_rule(pull, row) ? show_rule(pull, row) : LB_OK;
    }
    return rc;
}

enum lb_err pulls_take(struct engine *engine,
                       struct db *db,
                       const struct entry *entry,
                       struct lb_error *err)
{
    cJSON *data = entry->data == NULL ? NULL : cJSON_Parse(entry->data);
    struct pull pull = {engine, db, entry, data, true, 0, LB_OK, err};
    enum lb_err rc = show(&pull);

    cJSON_Delete(data);
    return rc == LB_OK ? engine_save(engine, db, err) : rc;
}

static bool note(void *ctx, const struct entry *entry)
{
    struct pull *pull = ctx;
    cJSON *data;

    if (entry->received_at_ms < pull->oldest_ms) {
        return false;
    }
    data = entry->data == NULL ? NULL : cJSON_Parse(entry->data);
    pull->entry = entry;
    pull->data = data;
    pull->rc = show(pull);
    cJSON_Delete(data);
    return pull->rc == LB_OK;
}

/* From when on pulls tell anything; INT64_MAX: nobody asks. */
static int64_t oldest_told(const struct engine *engine)
{
    int64_t oldest_ms = INT64_MAX;

    for (size_t i = 0; i < engine->active_count; i++) {
        const struct rule *rule = &engine->set->rules[engine->active[i]].rule;
        int64_t from_ms =
            rule->kind == RULE_NOT_PULLED
                ? threshold_known_from(rule, &engine->gaps, engine->now_ms)
                : INT64_MAX;

        oldest_ms = from_ms < oldest_ms ? from_ms : oldest_ms;
    }
    return oldest_ms;
}

enum lb_err pulls_read(struct engine *engine,
                       struct db *db,
                       int64_t upto_seq,
                       struct lb_error *err)
{
    struct pull pull = {engine, db, NULL, NULL, false, oldest_told(engine),
                        LB_OK,  err};
    enum lb_err rc;

    if (pull.oldest_ms == INT64_MAX) {
        return LB_OK;
    }
    rc = alert_store_each_pull(db, upto_seq, note, &pull, err);
    return rc == LB_OK ? pull.rc : rc;
}
