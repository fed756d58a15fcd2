/* export_sheet.c - the stats sheet of exports. */
#include "aggregate/export_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define SHEET_TIMEOUT_MS (10 * LB_MS_PER_MIN)

static void add_sheet_number(struct lb_buf *out,
                             const struct query_figures *figures,
                             enum query_metric metric)
{
    double value = 0;
    double hits = 0;
    double n = 0;

    if (query_figure(figures, metric, &value, &hits, &n)) {
        lb_json_add_double(out, value, 4);
    }
}

/* One row: date, site, page, link, source, utm_campaign, country and the
 * figures. */
static void add_sheet_row(const struct query *query,
                          const struct query_row *row,
                          bool is_csv,
                          struct lb_buf *out)
{
    static const char *const names[] = {
        "date", "site", "page", "link", "source", "utm_campaign", "country"};
    static const enum query_metric metrics[] = {QUERY_VIEWS, QUERY_CLICKS,
                                                QUERY_LEADS, QUERY_CTR};
    static const char *const metric_names[] = {"views", "clicks", "leads",
                                               "ctr",   "ctr_lo", "ctr_hi"};
    const struct rollup_counts *counts = &row->figures.counts;
    bool has_bounds = counts->views > 0 && counts->clicks <= counts->views;
    double bounds[2] = {0, 0};
    char date[LB_ZONE_DAY_BYTES];

    lb_zone_format_day(lb_zone_local_day(query->zone, row->time_at_ms), date);
    if (has_bounds) {
        rollup_wilson((double)counts->clicks, (double)counts->views, &bounds[0],
                      &bounds[1]);
    }
    if (!is_csv) {
        lb_buf_add_char(out, '{');
    }
    for (int i = 0; i < 7; i++) {
        const char *text = i == 0 ? date : row->values[i];

        if (is_csv) {
            lb_buf_add_text(out, i == 0 ? "" : ",");
            lb_text_add_csv(out, text == NULL ? "" : text);
        } else {
            lb_json_add_key(out, names[i]);
            lb_json_add_string(out, text);
        }
    }
    for (int i = 0; i < 6; i++) {
        size_t before;

        if (is_csv) {
            lb_buf_add_char(out, ',');
        } else {
            lb_json_add_key(out, metric_names[i]);
        }
        before = out->len;
        if (i < 4) {
            add_sheet_number(out, &row->figures, metrics[i]);
        } else if (has_bounds) {
            lb_json_add_double(out, bounds[i - 4], 4);
        }
        if (!is_csv && out->len == before) {
            lb_buf_add_text(out, "null");
        }
    }
    lb_buf_add_text(out, is_csv ? "\r\n" : "}\n");
}

static int compare_rows(const void *left, const void *right)
{
    const struct query_row *a = left;
    const struct query_row *b = right;

    if (a->time_at_ms != b->time_at_ms) {
        return a->time_at_ms < b->time_at_ms ? -1 : 1;
    }
    for (int i = 1; i < 7; i++) {
        int order = strcmp(a->values[i] == NULL ? "" : a->values[i],
                           b->values[i] == NULL ? "" : b->values[i]);

        if (order != 0) {
            return order;
        }
    }
    return 0;
}

enum lb_err export_sheet_write(struct query *query,
                               struct db *db,
                               bool is_csv,
                               struct lb_buf *out,
                               struct lb_error *err)
{
    static const char *const names[] = {"time:day", "site",   "page",
                                        "link",     "source", "utm_campaign",
                                        "country"};
    struct query_result result;
    enum lb_err rc;

    query->dimension_count = 7;
    for (size_t i = 0; i < 7; i++) {
        (void)dimension_find(names[i], true, &query->dimensions[i]);
        query->dimensions[i].is_of_click =
            false; /* a sheet shows views in rows of their own */
    }
    query->metrics[0] =
        QUERY_VISITORS; /* so that the log is read, not the totals */
    query->metric_count = 1;
    query->order_metric = -1;
    query->order_dimension = -1;
    query->traffic = 1u << ENTRY_HUMAN;
    query->deadline_at_ms = lb_clock_mono_ms() + SHEET_TIMEOUT_MS;
    rc = query_run(query, db, &result, err);
    if (rc == LB_OK) {
        qsort(result.rows, result.row_count, sizeof(*result.rows),
              compare_rows);
        for (size_t i = 0; i < result.row_count; i++) {
            add_sheet_row(query, &result.rows[i], is_csv, out);
        }
    }
    query_result_deinit(&result);
    return rc;
}

void export_sheet_csv_header(struct lb_buf *out)
{
    lb_buf_add_text(out,
                    "date,site,page,link,source,utm_campaign,country,views,"
                    "clicks,leads,ctr,ctr_lo,ctr_hi\r\n");
}
