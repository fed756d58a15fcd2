/* rule_common.c - the settings that rules have whatever their kind. */
#include "alerts/rule_common.h"

#include <string.h>

#include "alerts/quiet.h"
#include "alerts/template.h"
#include "base/clock.h"

#define MOST_DIGEST_MS (7 * LB_MS_PER_DAY)

static bool is_in(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_duration(const struct lb_yaml *node, int64_t *ms_out)
{
    return node->kind == LB_YAML_SCALAR &&
           lb_config_parse_duration(node->text, ms_out) && *ms_out > 0;
}

static void check_for(const struct lb_yaml *node,
                      const char *kind,
                      struct lb_config_faults *faults)
{
    static const char *const holding[] = {"threshold", "burst", "absent",
                                          "not_pulled", NULL};
    int64_t ms;

    if (!is_in(kind, holding)) {
        lb_config_fault(faults, node->key_line, node->key_column, "for",
                        "is for kinds that hold for a time (threshold, burst, "
                        "absent, not_pulled); a rule of kind %.20s rings at "
                        "once",
                        kind);
    } else if (!read_duration(node, &ms)) {
        lb_config_fault(faults, node->line, node->column, "for",
                        "must be a duration such as 30s, 15m or 1d");
    }
}

static void check_resolve(const struct lb_yaml *node,
                          const char *kind,
                          struct lb_config_faults *faults)
{
    static const char *const passing[] = {"event", "first_seen", "milestone",
                                          NULL};
    static const char *const truths[] = {"true", "false", NULL};

    if (node->kind != LB_YAML_SCALAR || !is_in(node->text, truths)) {
        lb_config_fault(faults, node->line, node->column, "resolve",
                        "must be true or false");
    } else if (is_in(kind, passing) && strcmp(node->text, "true") == 0) {
        lb_config_fault(faults, node->key_line, node->key_column, "resolve",
                        "is for kinds that are over at some time; what a rule "
                        "of kind %.20s tells of is no state",
                        kind);
    }
}

void rule_common_check(const struct lb_yaml *rule,
                       const char *kind,
                       struct lb_config_faults *faults)
{
    const struct lb_yaml *node = lb_yaml_find(rule, "for");
    int64_t ms = 0;

    if (node != NULL) {
        check_for(node, kind, faults);
    }
    node = lb_yaml_find(rule, "resolve");
    if (node != NULL) {
        check_resolve(node, kind, faults);
    }
    node = lb_yaml_find(rule, "template");
    if (node != NULL) {
        template_check(node, rule, faults);
    }
    node = lb_yaml_find(rule, "quiet");
    if (node != NULL) {
        quiet_check(node, faults);
    }
    node = lb_yaml_find(rule, "digest");
    if (node != NULL && (!read_duration(node, &ms) || ms > MOST_DIGEST_MS)) {
        lb_config_fault(faults, node->line, node->column, "digest",
                        "must be a duration such as 15m or 1h, 7d at most");
    }
}
