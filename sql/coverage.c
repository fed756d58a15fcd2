/* coverage.c - log entries about incomplete figures. */
#include "sql/coverage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static const char *const names[] = {"complete", "truncated", "gap"};

const char *coverage_name(enum coverage_state state)
{
    return names[state];
}

void coverage_fill(struct coverage_entry *out,
                   const struct coverage_span *span,
                   int64_t received_at_ms)
{
    memset(&out->entry, 0, sizeof(out->entry));
    out->entry.kind = ENTRY_COVERAGE;
    out->entry.received_at_ms = received_at_ms;
    out->entry.ts_at_ms = received_at_ms;
    out->entry.data = out->data;
    (void)snprintf(out->data, sizeof(out->data),
                   "{\"site\":%" PRId64 ",\"from\":%" PRId64 ",\"to\":%" PRId64
                   ",\"state\":\"%s\"}",
                   span->site, span->from_at_ms, span->to_at_ms,
                   coverage_name(span->state));
}

bool coverage_read(const struct entry *entry, struct coverage_span *span_out)
{
    cJSON *json = entry->kind != ENTRY_COVERAGE || entry->data == NULL
                      ? NULL
                      : cJSON_Parse(entry->data);
    const char *state = lb_json_text(json, "state");
    bool is_read = false;

    for (int i = COVERAGE_TRUNCATED; state != NULL && i <= COVERAGE_GAP; i++) {
        if (strcmp(state, names[i]) == 0) {
            span_out->state = (enum coverage_state)i;
            is_read = true;
        }
    }
    span_out->site = lb_json_int(json, "site");
    span_out->from_at_ms = lb_json_int(json, "from");
    span_out->to_at_ms = lb_json_int(json, "to");
    cJSON_Delete(json);
    return is_read && span_out->site > 0 &&
           span_out->from_at_ms < span_out->to_at_ms;
}
