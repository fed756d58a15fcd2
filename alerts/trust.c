/* trust.c - how complete the figures are that an alert is about. */
#include "alerts/trust.h"

#include "alerts/alert_store.h"
#include "base/clock.h"

#define QUARTER_MS (15 * LB_MS_PER_MIN)
/* An entry speaks of times about when it came: a cap holds for a day. */
#define REACH_MS (2 * LB_MS_PER_DAY)

struct look {
    const struct coverage_span *span;
    enum coverage_state worst;
};

static int64_t quarter_of(int64_t at_ms)
{
    int64_t rest = at_ms % QUARTER_MS;

    return at_ms - (rest < 0 ? rest + QUARTER_MS : rest);
}

static bool look_at(void *ctx, const struct entry *entry)
{
    struct look *look = ctx;
    const struct coverage_span *span = look->span;
    struct coverage_span told;

    if (entry->received_at_ms < span->from_at_ms - REACH_MS) {
        return false;
    }
    if (coverage_read(entry, &told) && told.site == span->site &&
        quarter_of(told.from_at_ms) < span->to_at_ms &&
        quarter_of(told.to_at_ms - 1) + QUARTER_MS > span->from_at_ms &&
        told.state > look->worst) {
        look->worst = told.state;
    }
    return true;
}

enum lb_err trust_read(struct db *db,
                       const struct coverage_span *span,
                       int64_t upto_seq,
                       enum coverage_state *worst_out,
                       struct lb_error *err)
{
    struct look look = {span, COVERAGE_COMPLETE};
    enum lb_err rc =
        alert_store_each_coverage(db, upto_seq, look_at, &look, err);

    *worst_out = look.worst;
    return rc;
}
