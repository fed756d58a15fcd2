/* stats_answer.c - the stats answer as JSON and CSV. */
#include "aggregate/stats_answer.h"

#include <stdio.h>
#include <string.h>

#include "aggregate/aged.h"
#include "base/json.h"
#include "base/text.h"

#define FIGURES_BYTES ((size_t)16 * 1024) /* of a row */

static const char *key_of(const struct dimension *dimension)
{
    return dimension->kind == DIMENSION_TIME ? "time" : dimension->name;
}

/* --- figures as text: the same for JSON and CSV
 * ---------------------------------- */

typedef void (*add_fn)(struct lb_buf *buf,
                       const char *metric,
                       const char *suffix,
                       const char *text);

static void add_number(struct lb_buf *buf,
                       add_fn add,
                       const char *metric,
                       const char *suffix,
                       double value,
                       int decimals)
{
    struct lb_buf text;

    lb_buf_init(&text, 64);
    lb_json_add_double(&text, value, decimals);
    add(buf, metric, suffix, lb_buf_text(&text));
    lb_buf_deinit(&text);
}

static void add_rate(struct lb_buf *buf,
                     add_fn add,
                     const struct query_figures *figures,
                     enum query_metric metric,
                     int64_t min_n)
{
    const char *name = query_metric_name(metric);
    double value = 0;
    double hits = 0;
    double n = 0;
    double low = 0;
    double high = 0;
    bool has_value = query_figure(figures, metric, &value, &hits, &n);
    bool has_bounds = has_value && hits <= n;

    if (has_value) {
        add_number(buf, add, name, "", value, 4);
    } else {
        add(buf, name, "", "null");
    }
    add_number(buf, add, name, "_n", n, 0);
    if (has_bounds) {
        rollup_wilson(hits, n, &low, &high);
        add_number(buf, add, name, "_lo", low, 4);
        add_number(buf, add, name, "_hi", high, 4);
    } else {
        add(buf, name, "_lo", "null");
        add(buf, name, "_hi", "null");
    }
    add(buf, name, "_low_n", n < (double)min_n ? "true" : "false");
}

/* The metric's figure alone; null where there is none. */
static void add_value(struct lb_buf *buf,
                      add_fn add,
                      const struct query_figures *figures,
                      enum query_metric metric,
                      bool is_before)
{
    const char *name = query_metric_name(metric);
    bool is_whole = metric != QUERY_VALUE && !query_metric_is_rate(metric);
    double value = 0;
    double hits = 0;
    double n = 0;

    if (query_figure(figures, metric, &value, &hits, &n)) {
        add_number(buf, add, name, is_before ? "_prev" : "", value,
                   is_whole                ? 0
                   : metric == QUERY_VALUE ? 2
                                           : 4);
    } else {
        add(buf, name, is_before ? "_prev" : "", "null");
    }
    if (metric == QUERY_VALUE) {
        bool has_one =
            figures->currency[0] != '\0' && figures->currency[0] != '*';
        char text[8];

        (void)snprintf(text, sizeof(text), has_one ? "\"%s\"" : "null",
                       figures->currency);
        add(buf, name, is_before ? "_currency_prev" : "_currency", text);
    }
}

/* before: figures to compare with; NULL: none. */
static void add_metrics(struct lb_buf *buf,
                        add_fn add,
                        const struct stats_answer *answer,
                        const struct query_figures *figures,
                        const struct query_figures *before)
{
    const struct query *query = &answer->params->query;

    for (size_t i = 0; i < query->metric_count; i++) {
        enum query_metric metric = query->metrics[i];

        if (query_metric_is_rate(metric)) {
            add_rate(buf, add, figures, metric, answer->min_n);
        } else {
            add_value(buf, add, figures, metric, false);
        }
        if (before != NULL) {
            add_value(buf, add, before, metric, true);
        }
    }
}

static const struct query_figures *before_of(const struct stats_answer *answer,
                                             const struct query_row *row)
{
    return answer->before == NULL ? NULL
                                  : query_compare_find(answer->before, row);
}

static const struct query_figures *
totals_before(const struct stats_answer *answer)
{
    return answer->before == NULL ? NULL : query_compare_totals(answer->before);
}

static void add_json(struct lb_buf *buf,
                     const char *metric,
                     const char *suffix,
                     const char *text)
{
    lb_json_add_comma(buf);
    lb_buf_printf(buf, "\"%s%s\":%s", metric, suffix, text);
}

static void add_csv_value(struct lb_buf *buf,
                          const char *metric,
                          const char *suffix,
                          const char *text)
{
    size_t len = strlen(text);

    (void)metric;
    (void)suffix;
    lb_buf_add_char(buf, ','); /* without dimensions the row drops the first */
    if (strcmp(text, "null") == 0) {
        return;
    }
    if (text[0] == '"') {
        lb_buf_add(buf, text + 1, len - 2);
    } else {
        lb_buf_add(buf, text, len);
    }
}

static void add_csv_name(struct lb_buf *buf,
                         const char *metric,
                         const char *suffix,
                         const char *text)
{
    (void)text;
    if (buf->len > 0) {
        lb_buf_add_char(buf, ',');
    }
    lb_buf_printf(buf, "%s%s", metric, suffix);
}

static const char *dimension_text(const struct query *query,
                                  const struct query_row *row,
                                  size_t index,
                                  char time[LB_ZONE_TEXT_BYTES])
{
    if (query->dimensions[index].kind == DIMENSION_TIME) {
        lb_zone_format(query->zone, row->time_at_ms, time);
        return time;
    }
    return row->values[index];
}

/* What a row by time says of itself: COVERAGE_COMPLETE for others. */
static enum coverage_state coverage_of(const struct stats_answer *answer,
                                       const struct query_row *row)
{
    const struct query *query = &answer->params->query;
    const struct catalog_site *site = NULL;
    int64_t end_ms = 0;

    for (size_t i = 0; i < query->dimension_count; i++) {
        const struct dimension *dimension = &query->dimensions[i];

        if (dimension->kind == DIMENSION_TIME) {
            end_ms = lb_zone_bucket_next_ms(
                query->zone, (enum lb_zone_grain)dimension->grain,
                row->time_at_ms);
        } else if (dimension->kind == DIMENSION_SITE &&
                   row->values[i] != NULL) {
            site = catalog_site_find(query->catalog, row->values[i]);
        }
    }
    return end_ms == 0 || answer->coverage->count == 0
               ? COVERAGE_COMPLETE
               : coverage_store_worst(answer->coverage,
                                      site == NULL ? 0 : site->number,
                                      row->time_at_ms, end_ms);
}

/* --- JSON
 * ----------------------------------------------------------------------- */

static void add_row(struct lb_buf *buf,
                    const struct stats_answer *answer,
                    const struct query_row *row)
{
    const struct query *query = &answer->params->query;
    enum coverage_state coverage = coverage_of(answer, row);
    char time[LB_ZONE_TEXT_BYTES];

    lb_json_add_comma(buf);
    lb_buf_add_char(buf, '{');
    for (size_t i = 0; i < query->dimension_count; i++) {
        const char *text = dimension_text(query, row, i, time);

        lb_json_add_key(buf, key_of(&query->dimensions[i]));
        if (query->dimensions[i].kind == DIMENSION_QR) {
            lb_buf_add_text(buf, text);
        } else {
            lb_json_add_string(buf, text);
        }
    }
    add_metrics(buf, add_json, answer, &row->figures, before_of(answer, row));
    if (coverage != COVERAGE_COMPLETE) {
        lb_buf_printf(buf, ",\"coverage\":\"%s\"", coverage_name(coverage));
    }
    lb_buf_add_char(buf, '}');
}

/* What was read, for who asks why an answer took its time. */
static void add_explain(struct lb_buf *buf, const struct stats_answer *answer)
{
    const struct query_read *read = &answer->result->read;

    lb_buf_printf(
        buf,
        ",\"explain\":{\"totals\":%lld,\"days\":%lld,\"segments\":%lld,"
        "\"sealed_events\":%lld,\"events\":%lld,\"ms\":%.1f}",
        (long long)read->totals, (long long)read->days,
        (long long)read->segments, (long long)read->sealed_events,
        (long long)read->events, (double)answer->took_ns / 1e6);
}

static void add_meta(struct lb_buf *buf, const struct stats_answer *answer)
{
    const struct query_result *result = answer->result;
    const struct query *query = &answer->params->query;
    int64_t before_ms = result->aged_before_ms == 0 && answer->before != NULL
                            ? query_compare_aged_before_ms(answer->before)
                            : result->aged_before_ms;
    char day[LB_ZONE_DAY_BYTES];

    lb_buf_add_text(buf, ",\"meta\":{\"as_of\":");
    lb_json_add_time(buf, answer->as_of_ms);
    lb_buf_printf(buf,
                  ",\"coverage\":\"%s\",\"scope\":\"%s\",\"traffic\":"
                  "\"%s\",\"warnings\":[",
                  coverage_name(coverage_store_worst(answer->coverage, 0,
                                                     result->from_at_ms,
                                                     query->to_at_ms)),
                  answer->scope, answer->params->traffic);
    if (query_has_metric(query, QUERY_CTR) &&
        result->clicks_without_visitor * 10 >
            result->totals.counts.clicks_raw) {
        lb_buf_add_text(
            buf,
            "{\"code\":\"clicks_without_visitor\",\"message\":\"Over 10 % of "
            "the clicks have no visitor, so they can't inherit a source; CTR "
            "by source is not meaningful.\",\"metric\":\"ctr\"}");
    }
    if (query_has_metric(query, QUERY_VALUE) &&
        result->totals.currency[0] == '*') {
        lb_json_add_comma(buf);
        lb_buf_add_text(
            buf, "{\"code\":\"several_currencies\",\"message\":\"Amounts of "
                 "several currencies can't be added.\",\"metric\":\"value\"}");
    }
    aged_add_warning(buf, query->zone, before_ms);
    lb_buf_add_text(buf, "],\"data_from\":");
    if (result->data_from_ms == 0) {
        lb_buf_add_text(buf, "null");
    } else {
        lb_zone_format_day(lb_zone_local_day(query->zone, result->data_from_ms),
                           day);
        lb_buf_printf(buf, "\"%s\"", day);
    }
    if (answer->before != NULL) {
        char from[LB_ZONE_TEXT_BYTES];
        char to[LB_ZONE_TEXT_BYTES];

        lb_zone_format(query->zone, query_compare_from_ms(answer->before),
                       from);
        lb_zone_format(query->zone, query_compare_to_ms(answer->before), to);
        lb_buf_printf(buf, ",\"compare\":{\"from\":\"%s\",\"to\":\"%s\"}", from,
                      to);
    }
    if (answer->params->is_explained) {
        add_explain(buf, answer);
    }
    lb_buf_add_char(buf, '}');
}

static void page_of(const struct query_params *params,
                    size_t count,
                    size_t *first_out,
                    size_t *last_out)
{
    *first_out = params->offset < count ? params->offset : count;
    *last_out =
        count - *first_out > params->limit ? *first_out + params->limit : count;
}

void stats_answer_write_json(const struct stats_answer *answer,
                             struct lb_buf *buf)
{
    const struct query_params *params = answer->params;
    const struct query_result *result = answer->result;
    const struct query *query = &params->query;
    char from[LB_ZONE_TEXT_BYTES];
    char to[LB_ZONE_TEXT_BYTES];
    size_t first;
    size_t last;

    page_of(params, result->row_count, &first, &last);
    lb_zone_format(query->zone, result->from_at_ms, from);
    lb_zone_format(query->zone, query->to_at_ms, to);
    lb_buf_add_text(buf, "{\"site\":");
    lb_json_add_string(buf, params->label);
    lb_buf_printf(buf,
                  ",\"from\":\"%s\",\"to\":\"%s\",\"tz\":\"%s\",\"rows\":[",
                  from, to, lb_zone_name(query->zone));
    for (size_t i = first; i < last; i++) {
        add_row(buf, answer, &result->rows[i]);
    }
    lb_buf_add_text(buf, "],\"totals\":{");
    add_metrics(buf, add_json, answer, &result->totals, totals_before(answer));
    lb_buf_add_char(buf, '}');
    add_meta(buf, answer);
    if (last < result->row_count) {
        lb_buf_printf(buf, ",\"next\":\"%016llx-%zu\"}",
                      (unsigned long long)params->hash, last);
    } else {
        lb_buf_add_text(buf, ",\"next\":null}");
    }
}

/* --- CSV ------------------------------------------------------------------ */

/* Whether the rows need a column for it: the same on every page. */
static bool has_coverage(const struct stats_answer *answer)
{
    const struct query_result *result = answer->result;

    for (size_t i = 0; answer->coverage->count > 0 && i < result->row_count;
         i++) {
        if (coverage_of(answer, &result->rows[i]) != COVERAGE_COMPLETE) {
            return true;
        }
    }
    return false;
}

static void write_csv_row(const struct stats_answer *answer,
                          const struct query_row *row,
                          bool has_coverage_column,
                          struct lb_buf *buf)
{
    const struct query *query = &answer->params->query;
    enum coverage_state coverage = coverage_of(answer, row);
    char time[LB_ZONE_TEXT_BYTES];
    struct lb_buf figures;

    for (size_t i = 0; i < query->dimension_count; i++) {
        const char *text = dimension_text(query, row, i, time);

        lb_buf_add_text(buf, i > 0 ? "," : "");
        lb_text_add_csv(buf, text == NULL ? "" : text);
    }
    lb_buf_init(&figures, FIGURES_BYTES);
    add_metrics(&figures, add_csv_value, answer, &row->figures,
                before_of(answer, row));
    lb_buf_add_text(buf, lb_buf_text(&figures) +
                             (query->dimension_count == 0 ? 1 : 0));
    lb_buf_deinit(&figures);
    if (has_coverage_column) {
        lb_buf_printf(buf, ",%s",
                      coverage == COVERAGE_COMPLETE ? ""
                                                    : coverage_name(coverage));
    }
    lb_buf_add_text(buf, "\r\n");
}

void stats_answer_write_csv(const struct stats_answer *answer,
                            struct lb_buf *buf)
{
    const struct query *query = &answer->params->query;
    bool has_coverage_column = has_coverage(answer);
    size_t first;
    size_t last;

    page_of(answer->params, answer->result->row_count, &first, &last);
    for (size_t i = 0; i < query->dimension_count; i++) {
        add_csv_name(buf, key_of(&query->dimensions[i]), "", "");
    }
    add_metrics(buf, add_csv_name, answer, &answer->result->totals,
                totals_before(answer));
    lb_buf_add_text(buf, has_coverage_column ? ",coverage\r\n" : "\r\n");
    for (size_t r = first; r < last; r++) {
        write_csv_row(answer, &answer->result->rows[r], has_coverage_column,
                      buf);
    }
}
