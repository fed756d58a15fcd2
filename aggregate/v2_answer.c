/* v2_answer.c - the answer of the stats dialect. */
#include "aggregate/v2_answer.h"

#include <string.h>

#include "aggregate/aged.h"
#include "base/clock.h"
#include "base/json.h"

static void add_results(struct lb_buf *buf,
                        const struct v2_request *request,
                        const struct v2_result *result)
{
    size_t first = request->offset < result->row_count ? request->offset
                                                       : result->row_count;
    size_t last = result->row_count - first > request->limit
                      ? first + request->limit
                      : result->row_count;

    lb_buf_add_text(buf, "{\"results\":[");
    for (size_t r = first; r < last; r++) {
        const struct v2_row *row = &result->rows[r];

        lb_buf_add_text(buf, r > first ? ",{\"metrics\":[" : "{\"metrics\":[");
        for (size_t i = 0; i < request->metric_count; i++) {
            lb_buf_add_text(buf, i > 0 ? "," : "");
            v2_metric_add(buf, request->metrics[i], &row->values_of[i]);
        }
        lb_buf_add_text(buf, "],\"dimensions\":[");
        for (size_t i = 0; i < request->dimension_count; i++) {
            lb_buf_add_text(buf, i > 0 ? "," : "");
            lb_json_add_string(buf, row->values[i]);
        }
        lb_buf_add_text(buf, "]}");
    }
    lb_buf_add_char(buf, ']');
}

/* --- meta ----------------------------------------------------------------- */

static const struct v2_dimension *time_of(const struct v2_request *request)
{
    for (size_t i = 0; i < request->dimension_count; i++) {
        if (request->dimensions[i].kind == V2_DIMENSION_TIME) {
            return &request->dimensions[i];
        }
    }
    return NULL;
}

/* Every bucket of the range; an hour that is repeated has one label. */
static void add_time_labels(struct lb_buf *buf,
                            const struct v2_request *request)
{
    const struct v2_dimension *time = time_of(request);
    const struct lb_zone *zone = request->site->zone;
    const struct v2_dimension_span span = {zone, request->from_at_ms};
    enum lb_zone_grain grain = (enum lb_zone_grain)time->grain;
    char before[V2_DIMENSION_LABEL_BYTES] = "";

    lb_buf_add_text(buf, "\"time_labels\":[");
    for (int64_t at = request->from_at_ms;
         at < request->to_at_ms && !buf->is_failed;
         at = lb_zone_bucket_next_ms(zone, grain, at)) {
        char label[V2_DIMENSION_LABEL_BYTES];

        v2_dimension_label(time, &span, at, label);
        if (strcmp(label, before) > 0) {
            lb_json_add_comma(buf);
            lb_json_add_string(buf, label);
            memcpy(before, label, sizeof(before));
        }
    }
    lb_buf_add_char(buf, ']');
}

static void add_warning(struct lb_buf *buf,
                        const struct v2_request *request,
                        enum v2_metric metric,
                        const char *code_and_text)
{
    for (size_t i = 0; i < request->metric_count; i++) {
        if (request->metrics[i] == metric) {
            lb_json_add_key(buf, request->metric_names[i]);
            lb_buf_printf(buf, "{%s}", code_and_text);
        }
    }
}

static void add_warnings(struct lb_buf *buf,
                         const struct v2_request *request,
                         const struct v2_result *result)
{
    static const char several[] =
        "\"code\":\"several_currencies\",\"warning\":\"Amounts of several "
        "currencies can't be added.\"";
    struct lb_buf all;

    lb_buf_init(&all, 4096);
    lb_buf_add_char(&all, '{');
    if (result->has_goal_currencies) {
        add_warning(&all, request, V2_METRIC_TOTAL_REVENUE, several);
        add_warning(&all, request, V2_METRIC_AVERAGE_REVENUE, several);
    }
    if (result->has_currencies) {
        add_warning(&all, request, V2_METRIC_VALUE, several);
    }
    if (result->has_unknown_clicks) {
        add_warning(&all, request, V2_METRIC_CTR,
                    "\"code\":\"clicks_without_visitor\",\"warning\":\"Over "
                    "10 % of the clicks have no visitor, so they can't inherit "
                    "a source; CTR by source is not meaningful.\"");
    }
    if (all.len > 1) {
        lb_buf_printf(buf, ",\"metric_warnings\":%s}", lb_buf_text(&all));
    }
    lb_buf_deinit(&all);
}

static bool has_visitors(const struct v2_request *request)
{
    static const enum v2_metric metrics[] = {
        V2_METRIC_VISITORS,        V2_METRIC_PERCENTAGE,
        V2_METRIC_CONVERSION_RATE, V2_METRIC_GROUP_CONVERSION_RATE,
        V2_METRIC_CLICKERS,        V2_METRIC_VISITOR_CTR};

    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
        if (v2_request_has_metric(request, metrics[i])) {
            return true;
        }
    }
    return false;
}

static void add_meta(struct lb_buf *buf,
                     const struct v2_request *request,
                     const struct v2_result *result,
                     int64_t as_of_ms)
{
    lb_buf_add_text(buf, ",\"meta\":{");
    if (request->has_time_labels) {
        add_time_labels(buf, request);
        lb_buf_add_char(buf, ',');
    }
    if (request->has_total_rows) {
        lb_buf_printf(buf, "\"total_rows\":%zu,", result->row_count);
    }
    if (request->has_imports) {
        lb_buf_add_text(buf, "\"imports_included\":false,"
                             "\"imports_skip_reason\":\"no_imported_data\",");
    }
    lb_buf_add_text(buf, "\"as_of\":");
    lb_json_add_time(buf, as_of_ms);
    add_warnings(buf, request, result);
    if (result->aged_before_ms != 0) {
        lb_buf_add_text(buf, ",\"warnings\":[");
        aged_add_warning(buf, request->site->zone, result->aged_before_ms);
        lb_buf_add_char(buf, ']');
    }
    if (result->is_summed && has_visitors(request)) {
        lb_buf_add_text(buf, ",\"visitors_summed_over_periods\":true");
    }
    lb_buf_add_char(buf, '}');
}

/* --- the query as executed ------------------------------------------------ */

static void add_part(struct lb_buf *buf,
                     const struct v2_request *request,
                     const char *key,
                     const char *absent)
{
    const cJSON *part = cJSON_GetObjectItemCaseSensitive(request->json, key);

    lb_buf_printf(buf, ",\"%s\":", key);
    if (part == NULL) {
        lb_buf_add_text(buf, absent);
    } else {
        lb_json_add_item(buf, part);
    }
}

static void add_order(struct lb_buf *buf, const struct v2_request *request)
{
    lb_buf_add_text(buf, ",\"order_by\":[");
    for (size_t i = 0; i < request->order_count; i++) {
        const struct v2_order *order = &request->order[i];

        lb_buf_add_text(buf, i > 0 ? ",[" : "[");
        lb_json_add_string(buf, order->is_metric
                                    ? request->metric_names[order->index]
                                    : request->dimensions[order->index].name);
        lb_buf_printf(buf, ",\"%s\"]", order->is_descending ? "desc" : "asc");
    }
    lb_buf_add_char(buf, ']');
}

static void add_query(struct lb_buf *buf, const struct v2_request *request)
{
    const struct lb_zone *zone = request->site->zone;
    char from[LB_ZONE_TEXT_BYTES];
    char to[LB_ZONE_TEXT_BYTES];

    lb_zone_format(zone, request->from_at_ms, from);
    lb_zone_format(zone, request->to_at_ms - LB_MS_PER_S, to);
    lb_buf_add_text(buf, ",\"query\":{\"site_id\":");
    lb_json_add_string(buf, request->site->id);
    add_part(buf, request, "metrics", "[]");
    lb_buf_printf(buf, ",\"date_range\":[\"%s\",\"%s\"]", from, to);
    add_part(buf, request, "filters", "[]");
    lb_buf_add_text(buf, ",\"dimensions\":[");
    for (size_t i = 0; i < request->dimension_count; i++) {
        lb_buf_add_text(buf, i > 0 ? "," : "");
        lb_json_add_string(buf, request->dimensions[i].name);
    }
    lb_buf_add_char(buf, ']');
    add_order(buf, request);
    add_part(buf, request, "include", "{}");
    lb_buf_printf(buf, ",\"pagination\":{\"offset\":%zu,\"limit\":%zu}}",
                  request->offset, request->limit);
}

void v2_answer_write(const struct v2_request *request,
                     const struct v2_result *result,
                     int64_t as_of_ms,
                     struct lb_buf *buf)
{
    add_results(buf, request, result);
    add_meta(buf, request, result, as_of_ms);
    add_query(buf, request);
    lb_buf_add_char(buf, '}');
}
